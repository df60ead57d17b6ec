#!/usr/bin/env bash
# Installs a build into a folder of its own and uses it as a stranger would: every C example by pkg-config, hello.c by find_package, and
# the same after the whole installation was moved.
# Usage: install_test.sh BUILD_DIR SOURCE_DIR CMAKE CC [MODEL]     without MODEL the programs are built, and their one-line error is read
set -euo pipefail
build=$1 source=$2 cmake=$3 cc=$4 model=${5:+$(realpath "$5")}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
say() { echo "-- $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

use() {  # prefix work
  local prefix=$1 work=$2 libdir name output
  mkdir -p "$work"
  libdir=$(dirname "$(find "$prefix" -name 'libscout.so.0' | head -1)")
  [ -e "$libdir/libscout.so" ] || fail "no libscout.so to link with"
  [ -d "$libdir/scout" ] || fail "no folder for plug-ins"
  [ -d "$prefix/share/scout/models" ] || fail "no folder for models"
  export PKG_CONFIG_PATH="$libdir/pkgconfig" LD_LIBRARY_PATH="$libdir"
  say "pkg-config: $(pkg-config --cflags --libs scout)"
  [ "$(pkg-config --variable=modelsdir scout | xargs realpath)" = "$(realpath "$prefix/share/scout/models")" ] || fail "modelsdir"
  for name in hello server_loop stepped chat score; do
    # shellcheck disable=SC2046
    "$cc" -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror "$source/examples/c/$name.c" -o "$work/$name" $(pkg-config --cflags --libs scout) -lm
  done

  mkdir -p "$work/cmake"
  cat >"$work/cmake/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(user C)
find_package(scout 0.1 REQUIRED)
if(NOT IS_DIRECTORY "${scout_MODELS_DIR}")
  message(FATAL_ERROR "scout_MODELS_DIR is ${scout_MODELS_DIR}")
endif()
add_executable(hello hello.c)
target_link_libraries(hello PRIVATE scout::scout)
CMAKE
  cp "$source/examples/c/hello.c" "$work/cmake/"
  "$cmake" -S "$work/cmake" -B "$work/cmake/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" >"$work/log" 2>&1 || { cat "$work/log"; fail "find_package"; }
  "$cmake" --build "$work/cmake/build" >"$work/log" 2>&1 || { cat "$work/log"; fail "building with find_package"; }

  # The program and a CMake user find the library by themselves.
  env -u LD_LIBRARY_PATH "$prefix/bin/scout" devices >"$work/devices" || fail "scout devices"
  grep -q ref "$work/devices" || fail "scout devices names no ref"
  if [ -n "$model" ]; then
    say "examples with $(basename "$model")"
    cp "$model" "$prefix/share/scout/models/scout-tiny.gguf"
    for name in hello server_loop stepped chat score; do
      if [ $name = chat ]; then set -- scout-tiny "What is 7 plus 5?" "And 20 minus 8?"; else set --; fi
      output=$("$work/$name" "$@" </dev/null | tr -d "\0") || fail "$name"
      [ "$(printf %s "$output" | wc -c)" -ge 4 ] || fail "$name printed only: $output"
      echo "$output" | sed "s/^/   $name: /" | cut -c 1-200 | head -8
    done
    cmp <("$work/hello") <(env -u LD_LIBRARY_PATH "$work/cmake/build/hello") || fail "pkg-config's and find_package's hello differ"
    output=$(env -u LD_LIBRARY_PATH "$prefix/bin/scout" run scout-tiny "Tell me a story about a fox.") || fail "scout run"
    [ "$output" = "$("$work/hello")" ] || fail "the program and hello.c answer differently"
    rm "$prefix/share/scout/models/scout-tiny.gguf"
  fi
  # Without the model: one line on stderr, exit code 1.
  if [ ! -e "$prefix/share/scout/models/scout-tiny.gguf" ]; then
    set +e; output=$("$work/hello" 2>&1); local code=$?; set -e
    [ $code -eq 1 ] && [ "$(echo "$output" | wc -l)" -eq 1 ] || fail "hello without a model: code $code, $output"
    echo "$output" | grep -q "$(realpath "$prefix")\|share/scout/models" || fail "the error does not say where was looked: $output"
  fi
}

say "installing"
"$cmake" --install "$build" --prefix "$folder/first" >"$folder/log" || { cat "$folder/log"; fail "install"; }
find "$folder/first" -name '*.h' | grep -qv '/scout/' && fail "a header outside scout/"
diff <(cd "$source/include/scout" && ls) <(cd "$folder/first/include/scout" && ls) || fail "headers"
rm -f "$folder/first/share/scout/models/"*.gguf
use "$folder/first" "$folder/work1"
say "moved elsewhere"
mv "$folder/first" "$folder/second"
use "$folder/second" "$folder/work2"
say "ok"
