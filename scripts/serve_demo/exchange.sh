#!/usr/bin/env bash
# A short real exchange with vLLM: the small model is served and asked. Where vLLM cannot be installed or does not come
# up (no such packages or instructions on this machine, no network), it is passed over; where an answer is wrong, it fails.
#   exchange.sh VENV VLLM_VENV MODEL_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=$1 vllm_venv=$2 model=$3
if ! "${MAKE:-make}" --no-print-directory "$vllm_venv/.installed" VLLM_VENV="$vllm_venv"; then
  echo "vLLM could not be installed here: the real exchange is passed over"
  exit 0
fi
"${MAKE:-make}" --no-print-directory "$model/config.json" VLLM_VENV="$vllm_venv"
port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export VLLM_CPU_KVCACHE_SPACE=${VLLM_CPU_KVCACHE_SPACE:-1}
status=0
"$venv/bin/python" scripts/serve_demo/serve.py --vllm "$vllm_venv/bin/vllm" --folder "$model" --port "$port" \
  -- "$venv/bin/python" -m pytest -n 0 tests/prompting/test_real_server.py || status=$?
if [ "$status" = 75 ]; then
  echo "vLLM does not run here: the real exchange is passed over"
  exit 0
fi
exit "$status"
