#!/usr/bin/env bash
# Builds FOLDER/Scout.dll beside FOLDER/libscoutcsharp.so (made by CMake) and copies of the library and its plug-ins of pictures, clips and products; with
# "tests" also the test programs.
# Usage: build.sh FOLDER LIBSCOUT [tests]      MCS names the compiler
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 library=$2
mkdir -p "$folder"
cp "$library" "$folder/libscout.so.0"
for plugin in media video onednn; do  # where they are built
  built=$(dirname "$library")/scout/libscout-$plugin.so
  if [ -e "$built" ]; then
    mkdir -p "$folder/scout"
    cp "$built" "$folder/scout/"
  fi
done
# C# 7 is what the sources keep to. The compiler's own library has what NETSTANDARD2_1_OR_GREATER brings.
compile=("${MCS:-mcs}" -nologo -langversion:7 -warn:4 -warnaserror -optimize -debug)
"${compile[@]}" -target:library -unsafe "-out:$folder/Scout.dll" "$here"/src/*.cs  # .NET Standard 2.0 alone: only that it compiles
compile+=(-define:NETSTANDARD2_1_OR_GREATER)
"${compile[@]}" -target:library -unsafe "-doc:$folder/Scout.xml" "-out:$folder/Scout.dll" "$here"/src/*.cs
[ "${3:-}" = tests ] || exit 0
for program in Conformance ApiTests Stress; do
  "${compile[@]}" "-r:$folder/Scout.dll" -r:System.Core.dll "-main:$program" "-out:$folder/$program.exe" "$here"/tests/*.cs
done
