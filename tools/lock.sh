#!/usr/bin/env bash
# Writes requirements*.txt, here and in benchmarks/peers: exact versions and hashes for Python 3.10 and 3.11, no addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .uv/bin/uv ] || { .venv/bin/python -m venv .uv && .uv/bin/pip install --quiet uv; }

lock() { # SOURCE TARGET [OPTION ...], without=PACKAGE leaves one out
  local never=(opencv-python ${without:-})
  .uv/bin/uv pip compile "$1" "${@:3}" --override <(printf "%s; sys_platform == 'never'\n" "${never[@]}") --universal \
    --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file "$2"
  # markers that hold on every machine this project supports
  sed -E -i "s/ and platform_machine == 'x86_64'( and platform_python_implementation != 'PyPy')? and sys_platform == 'linux'//
    s/ ; python_full_version < '3\.12'//; s/python_full_version == '3\.11\.\*'/python_full_version >= '3.11'/" "$2"
}

lock setup.py requirements.txt --extra cluster --extra dev --extra export
cp requirements.txt requirements-gpu.txt # whose versions the next one keeps to
without=mxnet lock setup.py requirements-gpu.txt --extra cluster --extra dev --extra export --extra gpu
source=$(mktemp --suffix .in)
trap 'rm -f "$source"' EXIT
echo "SecantusDB==0.7.0b3" >"$source"
lock "$source" requirements-store.txt

# PyTorch and Paddle, beside which benchmarks hold ours, and h5py, by which PyTorch's DataLoader reads. The index's
# own build of PyTorch for Linux is one for CUDA.
peers=benchmarks/peers/requirements
but() { awk -v names="^($1)" '/^[a-z]/ { kept = $0 !~ names } kept' "$2"; } # the packages of file $2 but those
printf 'torch==2.13.0\npaddlepaddle==3.3.1\nnumpy==2.2.6\nh5py==3.16.0\n' >"$source"
lock "$source" $peers-cuda.txt
but "cuda-|triton|nvidia-(cusolver|nvtx)" $peers-cuda.txt >"$source"
{
  echo "# Written by \`make lock\`: Paddle, and PyTorch where its CPU build is not offered. This one is linked to 2.5 GB of"
  echo "# CUDA libraries, without which \`import torch\` fails on a CPU too; those that it does not load are left out."
  cat "$source"
} >$peers-cuda.txt
{
  echo "# Written by \`make lock\`: Paddle, and PyTorch's CPU build for Python 3.11. requirements-cuda.txt takes its place"
  echo "# where pip is not offered that build; it is the same version and four times as large."
  but "nvidia-|torch" "$source"
  printf 'torch==2.13.0+cpu \\\n    --hash=sha256:%s\n' \
    6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b # no index that the lock reads has it
} >$peers.txt
