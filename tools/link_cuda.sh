#!/usr/bin/env bash
# link_cuda.sh ENVIRONMENT: puts the CUDA libraries of its packages where MXNet's build for GPUs looks for them.
# Its library has its own folder as the only place to search (RPATH $ORIGIN), and so no variable has to be set.
set -euo pipefail
site=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
for library in "$site"/nvidia/*/lib/*.so*; do
  ln -sfr "$library" "$site/mxnet/"
done
# What is missing now is the driver's, or a mistake of ours; the loader names all of it.
missing=$(LD_LIBRARY_PATH= ldd "$site/mxnet/libmxnet.so" | awk '/not found/ { print $1 }')
case $missing in
  "") echo "setup: MXNet finds its CUDA libraries and NVIDIA's driver" ;;
  libcuda.so.1) echo "setup: MXNet finds its CUDA libraries; NVIDIA's driver (libcuda.so.1) is not here, and nothing runs without it" >&2 ;;
  *) echo "setup: MXNet does not find ${missing//$'\n'/, }; remove .venv and run make setup GPU=1 again" >&2; exit 1 ;;
esac
