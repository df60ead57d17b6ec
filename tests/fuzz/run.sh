#!/usr/bin/env bash
# Runs every fuzz target of a build for some seconds, from its committed seeds; what it finds beyond them stays in the build
# folder. A crash ends the run and leaves the input beside the build.
# Usage: tests/fuzz/run.sh BUILD_DIR [SECONDS]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
seconds=${2:-20}
jobs=$(nproc)
run_one() {
  local name=$1
  mkdir -p "$build/corpus/$name" "$here/corpus/${name%_fuzz}"
  local log="$build/$name.log"
  if "$build/bin/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512 -print_final_stats=1 \
    -artifact_prefix="$build/$name-" "$build/corpus/$name" "$here/corpus/${name%_fuzz}" >"$log" 2>&1; then
    echo "-- $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, no finding"
  else
    tail -n 60 "$log"
    echo "-- $name: FAILED, log in $log"
    return 1
  fi
}
export -f run_one
export here build seconds
xargs -P "$jobs" -I{} bash -c 'run_one {}' <"$build/fuzzers.txt"
