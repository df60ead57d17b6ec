#!/usr/bin/env bash
# Installs a build into a folder of its own and uses it as a stranger would: every C example, and a program in each language, by pkg-config;
# C and C++ by find_package; with the shared library and with the archive; and all of it again after the whole installation was moved.
# Usage: install_test.sh BUILD_DIR SOURCE_DIR CMAKE CC CXX [MODEL]     without MODEL the programs are built, and their one-line error is read
set -euo pipefail
build=$1 source=$2 cmake=$3 cc=$4 cxx=$5 model=${6:+$(realpath "$6")}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
say() { echo "-- $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
# shellcheck source=tests/install/languages.sh
. "$source/tests/install/languages.sh"

layout() {  # prefix libdir
  local prefix=$1 libdir=$2 file
  [ "$(readlink "$libdir/libscout.so")" = libscout.so.0 ] || fail "libscout.so is no link to libscout.so.0"
  [[ $(readlink "$libdir/libscout.so.0") == libscout.so.0.*.* ]] || fail "libscout.so.0 is no link to libscout.so.0.x.y"
  readelf -d "$libdir/libscout.so" | grep -q 'SONAME.*\[libscout.so.0\]' || fail "SONAME"
  [ -d "$libdir/scout" ] || fail "no folder for plug-ins"
  diff <(cd "$source/include/scout" && ls) <(cd "$prefix/include/scout" && ls) || fail "headers"
  find "$prefix" -name '*.h' -not -path '*/scout/*' | grep . && fail "a header outside scout/"
  for file in share/scout/scout-abi.json share/scout/swig/{scout,python,java,shape}.i share/man/man1/scout.1 share/zsh/site-functions/_scout \
    share/bash-completion/completions/scout share/fish/vendor_completions.d/scout.fish share/scout/models share/doc/libscout/LICENSE; do
    [ -e "$prefix/$file" ] || fail "$file is not installed"
  done
  for file in modelsdir swigdir abi plugindir includedir libdir; do
    [ -e "$(pkg-config "--variable=$file" scout)" ] || fail "pkg-config's $file is $(pkg-config "--variable=$file" scout)"
  done
  [ "$(pkg-config --variable=modelsdir scout | xargs realpath)" = "$(realpath "$prefix/share/scout/models")" ] || fail "modelsdir"
  [ -z "$(pkg-config --print-requires-private scout)$(pkg-config --print-requires scout)" ] || fail "scout.pc requires a package; the library needs none"
  ! pkg-config --libs scout | grep -q -e '-lstdc++' || fail "what carries C++ is in Libs, not in Libs.private"
  ! grep -rIl -e "$folder" -e "$build" "$prefix/lib" "$prefix/share" || fail "a file names the folder that it was installed to or built in"
}

# find_package PREFIX WORK ARGUMENTS: configures a project that asks for these; its output goes to WORK/log
find_scout() {
  mkdir -p "$2/find"
  printf 'cmake_minimum_required(VERSION 3.22)\nproject(user C)\nfind_package(scout %s)\n' "$3" >"$2/find/CMakeLists.txt"
  rm -rf "$2/find/build"
  "$cmake" -S "$2/find" -B "$2/find/build" "-DCMAKE_PREFIX_PATH=$1" "-DCMAKE_C_COMPILER=$cc" >"$2/log" 2>&1
}

by_cmake() {  # prefix work
  local prefix=$1 work=$2
  mkdir -p "$work/cmake"
  cat >"$work/cmake/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.22)
project(user C CXX)
find_package(scout 0.1 REQUIRED COMPONENTS shared static program swig)
if(NOT IS_DIRECTORY "${scout_MODELS_DIR}" OR NOT IS_DIRECTORY "${scout_PLUGIN_DIR}")
  message(FATAL_ERROR "scout_MODELS_DIR is ${scout_MODELS_DIR}, scout_PLUGIN_DIR is ${scout_PLUGIN_DIR}")
endif()
add_executable(hello hello.c)
target_link_libraries(hello PRIVATE scout::scout)
add_executable(hello_cpp hello.cpp)
target_link_libraries(hello_cpp PRIVATE scout::scout)
add_executable(hello_static hello.c)
target_link_libraries(hello_static PRIVATE scout::static)
add_custom_target(devices ALL COMMAND scout::program devices)
CMAKE
  cp "$source/examples/c/hello.c" "$source/examples/cpp/hello.cpp" "$source/examples/cpp/scout_owners.h" "$work/cmake/"
  "$cmake" -S "$work/cmake" -B "$work/cmake/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" >"$work/log" 2>&1 || { cat "$work/log"; fail "find_package"; }
  env -u LD_LIBRARY_PATH "$cmake" --build "$work/cmake/build" >"$work/log" 2>&1 || { cat "$work/log"; fail "building with find_package"; }
  # What cannot be had is refused with a sentence; what is only wished for is not.
  ! find_scout "$prefix" "$work" "REQUIRED COMPONENTS warp" || fail "the component warp was found"
  tr '\n' ' ' <"$work/log" | tr -s ' ' | grep -q "scout has no component warp; it has shared, static, program, models, swig" || { cat "$work/log"; fail "no sentence about the component"; }
  find_scout "$prefix" "$work" "COMPONENTS shared OPTIONAL_COMPONENTS warp REQUIRED" || { cat "$work/log"; fail "an optional component is in the way"; }
  ! find_scout "$prefix" "$work" "0.2 REQUIRED" || fail "version 0.2 was found"
  tr '\n' ' ' <"$work/log" | tr -s ' ' | grep -q 'compatible with requested version "0.2"' || { cat "$work/log"; fail "no sentence about the version"; }
  mv "$prefix/bin/scout" "$prefix/bin/scout.away"
  ! find_scout "$prefix" "$work" "REQUIRED COMPONENTS program" || fail "the component program was found without the program"
  tr '\n' ' ' <"$work/log" | tr -s ' ' | grep -q "scout's component program is not installed" || { cat "$work/log"; fail "no sentence about the missing component"; }
  mv "$prefix/bin/scout.away" "$prefix/bin/scout"
}

use() {  # prefix work
  local prefix=$1 work=$2 libdir name output hello
  mkdir -p "$work"
  libdir=$(dirname "$(find "$prefix" -name 'libscout.so.0' | head -1)")
  export PKG_CONFIG_PATH="$libdir/pkgconfig" LD_LIBRARY_PATH="$libdir"
  say "pkg-config: $(pkg-config --cflags --libs scout)"
  say "pkg-config --static: $(pkg-config --static --libs scout)"
  layout "$prefix" "$libdir"
  for name in hello server_loop stepped chat score stream; do
    # shellcheck disable=SC2046
    "$cc" -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror "$source/examples/c/$name.c" -o "$work/$name" $(pkg-config --cflags --libs scout) -lm -pthread
  done
  # The archive: in a program that takes everything else from shared libraries, and in one without any.
  # shellcheck disable=SC2046
  "$cc" -std=c99 "$source/examples/c/hello.c" -o "$work/hello_archive" $(pkg-config --cflags --static --libs scout | sed 's/-lscout/-l:libscout.a/')
  # shellcheck disable=SC2046
  "$cc" -std=c99 -static "$source/examples/c/hello.c" -o "$work/hello_static" $(pkg-config --cflags --static --libs scout) 2>"$work/log" || { cat "$work/log"; fail "-static"; }
  ! readelf -d "$work/hello_archive" | grep -q libscout || fail "the program with the archive needs libscout.so"
  ! readelf -d "$work/hello_static" | grep -q NEEDED || fail "the static program needs shared libraries"
  by_cmake "$prefix" "$work"

  # The program and a CMake user find the library by themselves.
  env -u LD_LIBRARY_PATH "$prefix/bin/scout" devices >"$work/devices" || fail "scout devices"
  grep -q ref "$work/devices" || fail "scout devices names no ref"
  if [ -n "$model" ]; then
    say "examples with $(basename "$model")"
    cp "$model" "$prefix/share/scout/models/scout-tiny.gguf"
    for name in hello server_loop stepped chat score stream; do
      if [ $name = chat ]; then set -- scout-tiny "What is 7 plus 5?" "And 20 minus 8?"; else set --; fi
      output=$("$work/$name" "$@" </dev/null | tr -d "\0") || fail "$name"
      [ "$(printf %s "$output" | wc -c)" -ge 4 ] || fail "$name printed only: $output"
      echo "$output" | sed "s/^/   $name: /" | cut -c 1-200 | head -8
    done
    hello=$("$work/hello")
    say "each language by pkg-config"
    cplusplus "$work" "$hello"
    go_language "$prefix" "$work" "$hello"
    rust "$prefix" "$work" "$hello"
    csharp "$prefix" "$work" "$hello"
    java_language "$prefix" "$work" "$hello"
    python "$work" "$hello"
    say "by find_package, by the archive, and the scout program, without LD_LIBRARY_PATH"
    unset LD_LIBRARY_PATH
    answers "C, find_package" "$hello" "$work/cmake/build/hello"
    answers "C++, find_package" "$hello" "$work/cmake/build/hello_cpp"
    answers "C, scout::static" "$hello" env "SCOUT_MODELS=$prefix/share/scout/models" "$work/cmake/build/hello_static"
    for name in hello_archive hello_static; do  # found in PATH, with models beside it
      cp "$work/$name" "$prefix/bin/"
      answers "C, $name" "$hello" env "PATH=$prefix/bin:$PATH" "$name"
      rm "$prefix/bin/$name"
    done
    answers "scout run" "$hello" "$prefix/bin/scout" run scout-tiny "Tell me a story about a fox."
    rm "$prefix/share/scout/models/scout-tiny.gguf"
    export LD_LIBRARY_PATH="$libdir"
  fi
  # Without the model: one line on stderr, exit code 1.
  set +e; output=$("$work/hello" 2>&1); local code=$?; set -e
  [ $code -eq 1 ] && [ "$(echo "$output" | wc -l)" -eq 1 ] || fail "hello without a model: code $code, $output"
  echo "$output" | grep -q "$(realpath "$prefix")\|share/scout/models" || fail "the error does not say where was looked: $output"
}

say "installing"
install=("$cmake" --install "$build" --prefix "$folder/first")
"${install[@]}" >"$folder/log" || { cat "$folder/log"; fail "install"; }
[ ! -e "$folder/first/share/gocode" ] && [ ! -e "$folder/first/share/cargo" ] || fail "a plain installation has sources of the bindings"
for component in go rust rust_sys csharp java jni; do "${install[@]}" --component $component >"$folder/log" || { cat "$folder/log"; fail "component $component"; }; done
rm -f "$folder/first/share/scout/models/"*.gguf
use "$folder/first" "$folder/work1"
say "moved elsewhere"
mv "$folder/first" "$folder/second"
use "$folder/second" "$folder/work2"
say "ok"
