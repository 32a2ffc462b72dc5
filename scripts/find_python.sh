#!/usr/bin/env bash
# Print the path of an interpreter of the Python version given (3.12), or fail: on PATH, of uv, or of pyenv.
set -u
version=$1
works() { [ -n "$1" ] && "$1" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; }
for candidate in "$(command -v "python$version" 2>/dev/null)" \
                 "$(uv python find --no-python-downloads "$version" 2>/dev/null)" \
                 "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
    if works "$candidate"; then echo "$candidate"; exit 0; fi
done
exit 1
