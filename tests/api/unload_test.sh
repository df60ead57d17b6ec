#!/usr/bin/env bash
# Loads, uses and unloads the library a hundred times: with an empty environment and both outputs in files, and under valgrind, where nothing
# may be lost and a hundred rounds may keep no byte more than three. Exit code 77 when "valgrind" is asked for and not there.
# Usage: unload_test.sh plain|valgrind PROGRAM LIBSCOUT MODEL
set -euo pipefail
how=$1 program=$2 library=$3 model=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

if [ "$how" = plain ]; then
  env -i "$program" "$library" "$model" 100 >"$folder/out" 2>"$folder/err" || { cat "$folder/err"; fail "used in every round"; }
  [ ! -s "$folder/err" ] || fail "something was printed: $(cat "$folder/err")"
  [ "$(wc -l <"$folder/out")" -eq 1 ] || fail "something was printed: $(cat "$folder/out")"
  echo "-- used in every round: $(cat "$folder/out")"
  env -i "$program" "$library" "$model" 100 0 >"$folder/out" 2>"$folder/err" || { cat "$folder/err"; fail "loaded only"; }
  echo "-- loaded only: $(cat "$folder/out")"
  exit 0
fi

command -v valgrind >/dev/null || { echo "skipped: there is no valgrind here"; exit 77; }
check() {  # rounds every; prints the bytes and blocks that are still reachable at the end
  valgrind --leak-check=full --show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=9 \
    --log-file="$folder/log" "$program" "$library" "$model" "$@" >"$folder/out" 2>"$folder/err" || { cat "$folder/log" "$folder/err" >&2; fail "valgrind, $* rounds"; }
  grep -q "ERROR SUMMARY: 0 errors" "$folder/log" || { cat "$folder/log" >&2; fail "errors under valgrind"; }
  sed -n 's/.*still reachable: \([0-9,]* bytes in [0-9,]* blocks\).*/\1/p' "$folder/log" | grep . || sed -n 's/.*in use at exit: \([0-9,]* bytes in [0-9,]* blocks\).*/\1/p' "$folder/log"
}
few=$(check 3 1)
many=$(check 100 5)
loaded=$(check 100 0)
echo "-- valgrind: no error, nothing lost; still reachable after 3 rounds: $few; after 100: $many; loaded only, 100 rounds: $loaded"
[ "$few" = "$many" ] || fail "what stays grows with the rounds"
