#!/bin/sh
# Makes the virtual environment $1 with $PYTHON (default python3), or says in plain words why not.
set -eu
python=${PYTHON:-python3}

if ! command -v "$python" >/dev/null 2>&1; then
    echo "Fairwarning needs Python 3.11 or later, and there is no $python here. Install it, or name one: make PYTHON=python3.12" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Fairwarning needs Python 3.11 or later; $python is $("$python" -c 'import platform; print(platform.python_version())'). Name another: make PYTHON=python3.12" >&2
    exit 1
fi
# Debian and its children ship venv without ensurepip until the package python3-venv is there.
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    echo "$python has no ensurepip; installing python3-venv" >&2
    sh "$(dirname "$0")/debian.sh" python3-venv || {
        echo "Install it and try again: apt-get install python3-venv" >&2
        exit 1
    }
fi
exec "$python" -m venv --clear "$1"
