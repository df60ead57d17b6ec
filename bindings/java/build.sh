#!/usr/bin/env bash
# Makes FOLDER/scout.jar of the sources, FOLDER/libscoutjava.so (built by CMake), the library and its plug-ins of pictures, clips and products; with
# "tests" also the test classes.
# With "none" the jar has classes alone, and both libraries are looked for on java.library.path.
# Usage: build.sh FOLDER LIBSCOUT|none [tests]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 library=$2
rm -rf "$folder/classes" "$folder/tests"
natives=$folder/classes/scout/natives/linux-x86_64
mkdir -p "$folder/classes" "$folder/tests"
"${JAVAC:-javac}" --release 17 -Xlint:all -Werror -d "$folder/classes" "$here"/src/scout/*.java
if [ "$library" != none ]; then
  mkdir -p "$natives"
  cp "$library" "$natives/libscout.so.0"
  cp "$folder/libscoutjava.so" "$natives/"
  for plugin in media video onednn; do  # where they are built
    built=$(dirname "$library")/scout/libscout-$plugin.so
    if [ -e "$built" ]; then cp "$built" "$natives/"; fi
  done
fi
"${JAR:-jar}" --create --file "$folder/scout.jar" -C "$folder/classes" .
if [ "${3:-}" = tests ]; then
  "${JAVAC:-javac}" --release 17 -Xlint:all,-try -Werror -cp "$folder/scout.jar" -d "$folder/tests" "$here"/tests/*.java
fi
