#!/bin/sh
# Installs the Debian packages "$@": as root, or by sudo where that asks for no password.
set -eu
if ! command -v apt-get >/dev/null 2>&1; then
    echo "This system has no apt-get; install by its own means: $*" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "Installing $* needs root, and sudo is missing or asks for a password" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
exec $as_root apt-get install -y -qq --no-install-recommends "$@"
