#!/usr/bin/env bash
# Writes requirements.txt and requirements-store.txt: exact versions and hashes for Python 3.10 and 3.11, no addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .uv/bin/uv ] || { .venv/bin/python -m venv .uv && .uv/bin/pip install --quiet uv; }

lock() { # SOURCE TARGET [OPTION ...]
  .uv/bin/uv pip compile "$1" "${@:3}" --override <(echo "opencv-python; sys_platform == 'never'") --universal \
    --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file "$2"
  # markers that hold on every machine this project supports
  sed -E -i "s/ and platform_machine == 'x86_64'( and platform_python_implementation != 'PyPy')? and sys_platform == 'linux'//
    s/ ; python_full_version < '3\.12'//; s/python_full_version == '3\.11\.\*'/python_full_version >= '3.11'/" "$2"
}

lock setup.py requirements.txt --extra dev
store=$(mktemp --suffix .in)
echo "SecantusDB==0.7.0b3" >"$store"
lock "$store" requirements-store.txt
rm "$store"
