#!/bin/sh
# Sees to it that the browser the page tests drive is there: Debian's own Chromium.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done
echo "No Chromium here; installing it" >&2
sh "$(dirname "$0")/debian.sh" chromium fonts-liberation >&2 || {
    echo "The page tests need Chromium: apt-get install chromium fonts-liberation" >&2
    exit 1
}
