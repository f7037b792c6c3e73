#!/bin/sh
# Sees to it that Node and npm are there, which the checks of the pages' scripts run on.
set -eu
if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; then
    exit 0
fi
echo "No Node here; installing it" >&2
sh "$(dirname "$0")/debian.sh" nodejs npm >&2 || {
    echo "The tests of the pages' scripts need Node 18 or later, with npm: apt-get install nodejs npm" >&2
    exit 1
}
