#!/usr/bin/env bash
# From a bare clone to an answer: installs what is missing, builds the library and the scout program, and asks the bundled
# model a question. Everything it makes lies in build/.
# Usage: examples/quickstart.sh [QUESTION]
set -euo pipefail
cd "$(dirname "$0")/.."
question=${1:-Tell me a story about a fox.}

echo "== 1/3 packages"
examples/packages.sh build

echo "== 2/3 building into build/ (a few minutes on two cores)"
cmake -S . -B build -G Ninja -DSCOUT_BUILD_TESTS=OFF --log-level=WARNING
ninja -C build

echo "== 3/3 asking the bundled model: $question"
build/bin/scout run scout-tiny "$question"
echo "== done; more: build/bin/scout --help"
