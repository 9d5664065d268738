#!/usr/bin/env bash
# make_env.sh FOLDER REQUIREMENTS [PYTHON]: a virtual environment with exact versions and checked hashes.
# MXNet 1.9.1 needs Python 3.10 or 3.11. Without one, uv is asked to bring it.
set -euo pipefail
folder=$1 requirements=$2 wanted=${3:-}

fits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 11))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${wanted:-python3.11 python3.10 python3 python}; do
    if command -v "$candidate" >/dev/null && fits "$candidate"; then echo "$candidate"; return; fi
  done
  [ -z "$wanted" ] || return 1
  local any_python
  any_python=$(command -v python3 || command -v python) || return 1
  { "$any_python" -m venv .uv && .uv/bin/pip install --quiet uv && .uv/bin/uv python install --quiet 3.11; } >/dev/null 2>&1 || true
  candidate=$(.uv/bin/uv python find 3.11 2>/dev/null) && fits "$candidate" && echo "$candidate"
}

if ! python=$(find_python); then
  echo "setup: no Python 3.10 or 3.11 with venv here, and uv could not bring one; install it (Debian: apt install python3.11-venv) and say make setup PYTHON=/path/to/python3.11" >&2
  exit 1
fi
echo "setup: $folder with $("$python" --version)"
rm -rf "$folder"
"$python" -m venv "$folder"

# pip's own output is long; this counts its packages, with the time it takes.
total=$(grep -c '^[a-z].*==' "$requirements") done=0 log=$folder/pip.log
"$folder/bin/python" -m pip install --disable-pip-version-check --no-deps --require-hashes -r "$requirements" \
  2>"$log" | while IFS= read -r line; do
  printf '%s\n' "$line" >>"$log"
  case $line in
    Collecting* | Processing* | Ignoring*) done=$((done + 1)) ;;
    Installing*) printf '\r\033[Ksetup: installing %d packages, about %d s' "$done" $((SECONDS + 5)) ; continue ;;
    *) continue ;;
  esac
  [ "$done" -eq 0 ] || printf '\r\033[Ksetup: %d of %d packages, about %d s left' "$done" "$total" \
    $(((SECONDS + 1) * (total - done) / done + SECONDS + 1))
done || { printf '\nsetup: pip could not install; the last lines of %s:\n' "$log" >&2; tail -n 3 "$log" >&2; exit 1; }
printf '\r\033[Ksetup: %s made in %d s\n' "$folder" "$SECONDS"
