#!/usr/bin/env bash
# Holds the sources against .clang-format, and with "tidy" also against .clang-tidy (minutes).
# Usage: tests/tidy.sh [tidy [BUILD_DIR]]     BUILD_DIR has a compile_commands.json; build-test by default
set -euo pipefail
cd "$(dirname "$0")/.."
command -v clang-format-14 >/dev/null && git rev-parse --is-inside-work-tree >/dev/null 2>&1 ||
  { echo "skipped: it takes clang-format-14 and a git checkout"; exit 77; }
mapfile -t files < <(git ls-files '*.cpp' '*.h' '*.c' '*.inl' | grep -v -e '^src/prompt/unicode_tables.cpp$' -e '^tests/.*\.c$')
clang-format-14 --dry-run --Werror "${files[@]}"
echo "-- format: ${#files[@]} files as .clang-format wants them"
if [ "${1:-}" = tidy ]; then
  # Not those that need a device's own headers.
  mapfile -t sources < <(git ls-files 'src/*.cpp' 'backends/*.cpp' | grep -v -e '^backends/cuda/' -e '^backends/hip/' -e '/plugin_main.cpp$')
  commands=$(mktemp -d)  # without the one flag that clang refuses
  trap 'rm -r "$commands"' EXIT
  sed 's/ -fno-gnu-unique//g' "${2:-build-test}/compile_commands.json" >"$commands/compile_commands.json"
  printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy-14 --quiet -p "$commands"
  echo "-- tidy: ${#sources[@]} files clean"
fi
