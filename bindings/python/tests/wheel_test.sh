#!/usr/bin/env bash
# Builds the wheel from a copy of the sources with the library of a build folder, installs it into an environment of its own and lets it
# answer from elsewhere: nothing but the wheel is needed. Exit code 77 when this Python cannot build wheels without downloading.
# Usage: wheel_test.sh PYTHON SOURCE BUILD
set -euo pipefail
python=$1 source=$2 build=$3
if ! "$python" -c 'import setuptools, wheel, pip, venv, ensurepip' 2>/dev/null; then
  echo "skipped: $python has no pip, setuptools, wheel and venv"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/top/bindings" "$folder/top/examples/models"
cp -r "$source/bindings/python" "$source/bindings/swig" "$folder/top/bindings/"
cp -r "$source/include" "$folder/top/"
cp "$source/examples/models/scout-tiny.gguf" "$folder/top/examples/models/"
SCOUT_BUILD=$build "$python" -m pip wheel --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -w "$folder" "$folder/top/bindings/python"
ls "$folder"/libscout-*-cp39-abi3-*.whl
"$python" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check --no-index "$folder"/libscout-*.whl
rm -rf "$folder/top"
cd /
output=$(env -u PYTHONPATH -u SCOUT_MODELS -u LD_LIBRARY_PATH "$folder/env/bin/python" "$source/examples/python/hello.py")
[ ${#output} -ge 40 ] || { echo "FAILED: hello printed $output" >&2; exit 1; }
echo "$output" | cut -c 1-200
