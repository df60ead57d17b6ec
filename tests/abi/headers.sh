#!/usr/bin/env bash
# Each public header alone, and twice, as strict C99, C11 and C++11 (and the newest the compiler has), without a warning.
# Usage: headers.sh INCLUDE_DIR CC CXX [CLANG]
set -uo pipefail
include=$1 cc=$2 cxx=$3 clang=${4:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
warnings=(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wundef -fsyntax-only)
failed=0 tried=0

try() {  # compiler language standard file
  "$1" -x "$2" -std="$3" "${warnings[@]}" -I"$include" "$4" 2>"$folder/log"
}
check() {  # compiler language standards...
  local compiler=$1 language=$2 standard header name
  shift 2
  for standard in "$@"; do
    for header in "$include"/scout/*.h; do
      name=$(basename "$header")
      printf '#include <scout/%s>\n#include <scout/%s>\nint scout_header_test;\n' "$name" "$name" >"$folder/test"
      tried=$((tried + 1))
      if ! try "$compiler" "$language" "$standard" "$folder/test"; then
        echo "$name as $standard with $compiler:"; cat "$folder/log"; failed=1
      fi
    done
    # The test of the test: this must not pass.
    mkdir -p "$folder/scout"
    printf 'inline int scout_bad(int a) { long long b[a]; return typeof(0)(b[0]); }\n' >"$folder/bad"
    if try "$compiler" "$language" "$standard" "$folder/bad"; then echo "$compiler $standard accepts anything"; failed=1; fi
  done
}

check "$cc" c c99 c11 c17
check "$cxx" c++ c++11 c++20
if [ -n "$clang" ]; then
  warnings+=(-Weverything -Wno-padded -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-declaration-after-statement
             -Wno-missing-variable-declarations -Wno-documentation-unknown-command -Wno-documentation -Wno-unknown-warning-option -Wno-reserved-macro-identifier)
  check "$clang" c c99 c11
  check "$clang" c++ c++11
fi
[ $failed -eq 0 ] && echo "$tried compilations without a warning"
exit $failed
