#!/bin/sh
# Puts uv into the project's own .bootstrap folder and the product into .venv. Needs nothing but a
# Python from 3.11 on; touches no system package and no file outside of the project.
set -eu
cd "$(dirname "$0")/.."

UV_VERSION="0.13.8"
BOOTSTRAP=".bootstrap"

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] < (3, 15)))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    say "Market Spine needs Python 3.11 to 3.14; none was found."
    say "Install one (Debian/Ubuntu: apt-get install python3 python3-venv; macOS: brew install python),"
    say "or name it: make PYTHON=/path/to/python3 …"
    exit 1
}

install_uv() {
    rm -rf "$BOOTSTRAP"
    # A Debian without python3-venv has no ensurepip: the venv fails, and so says what is missing.
    if ! "$1" -m venv "$BOOTSTRAP" >/dev/null 2>&1; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            say "installing python3-venv"
            apt-get update -qq >&2 && apt-get install -y -qq python3-venv >&2
            rm -rf "$BOOTSTRAP"
            "$1" -m venv "$BOOTSTRAP"
        else
            say "$1 can't make a virtual environment. On Debian/Ubuntu: sudo apt-get install python3-venv"
            exit 1
        fi
    fi
    "$BOOTSTRAP/bin/pip" install --quiet --disable-pip-version-check "uv==$UV_VERSION"
}

python="$(find_python)"
uv="$BOOTSTRAP/bin/uv"
if ! "$uv" --version 2>/dev/null | grep -q " $UV_VERSION"; then
    say "installing uv $UV_VERSION into $BOOTSTRAP"
    install_uv "$python"
fi

# Never another Python than the one at hand, never another environment than the project's.
unset VIRTUAL_ENV
# Compiled once here, for environments that forbid Python to write its own byte code.
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 UV_COMPILE_BYTECODE=1
exec "$uv" sync --frozen --quiet --python "$python" "$@"
