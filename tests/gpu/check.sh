#!/usr/bin/env bash
# Checks and times ganexplain on a GPU and writes one JSON file, in at most eight minutes:
#     tests/gpu/check.sh [--device cuda] [--out gpu.json] [--minutes 8] [--tiny]
# It needs the package's dependencies with a torch that has CUDA; the package itself need not be installed.
set -eu
cd "$(dirname "$0")/../.."
exec env PYTHONPATH="$PWD:$PWD/tests" "${PYTHON:-python}" tests/gpu/check.py "$@"
