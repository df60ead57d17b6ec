#!/usr/bin/env bash
# Runs SWIG over scout.i for each language whose generated code is kept in the tree.
# Usage: generate.sh           writes the generated files
#        generate.sh check     says which are out of date: exit code 1; 77 when there is no SWIG of the version below
# SWIG names the program when it is not on PATH.
set -euo pipefail
cd "$(dirname "$0")"
version=4.5.1
swig=${SWIG:-swig}

found=$("$swig" -version 2>/dev/null | sed -n 's/^SWIG Version //p' || true)
if [ "$found" != "$version" ]; then
  echo "skipped: the generated code is SWIG $version's and $swig is ${found:-not there}"
  exit 77
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Python: the C half only; the package calls it directly.
mkdir "$folder/python"
"$swig" -python -threads -module native -Wall -Werror -I../../include -outdir "$folder/python" -o "$folder/python/native.c" scout.i
rm "$folder/python/native.py"

# Java: the JNI class and the C half; the package calls them directly.
mkdir "$folder/java"
"$swig" -java -noproxy -package scout -module Native -Wall -Werror -I../../include -outdir "$folder/java" -o "$folder/java/native.c" scout.i

status=0
place() {  # generated kept
  if [ "${mode:-}" = check ]; then
    cmp "$1" "$2" || status=1
  else
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2"
  fi
}
mode=${1:-}
place "$folder/python/native.c" ../python/native/native.c
place "$folder/java/native.c" ../java/native/native.c
place "$folder/java/NativeJNI.java" ../java/src/scout/NativeJNI.java
[ $status -eq 0 ] || echo "run bindings/swig/generate.sh and keep what it writes" >&2
exit $status
