#!/usr/bin/env bash
# From a bare clone to "all tests passed": installs what is missing, builds optimised and runs every test, then does the
# same under AddressSanitizer and UndefinedBehaviorSanitizer (without the tests that take minutes), the threaded tests under
# ThreadSanitizer, and each fuzz target for a short while.
# Usage: tests/run.sh [quick]      quick: the optimised build and its tests only
# FUZZ_SECONDS=3600 tests/run.sh   a longer fuzzing run
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
started=$SECONDS
say() { echo "== [$((SECONDS - started)) s] $*"; }

launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
configure() {  # folder, further arguments
  local dir=$1
  shift
  cmake -S . -B "$dir" -G Ninja "${launcher[@]}" --log-level=WARNING "$@"
}

say "packages"
examples/packages.sh tests

say "optimised build"
configure build-test -DSCOUT_WERROR=ON -DCMAKE_INSTALL_PREFIX=/usr  # the prefix that packages have; nothing is installed there
ninja -C build-test --quiet
say "tests, optimised"
ctest --test-dir build-test --output-on-failure -j "$jobs" --no-tests=error --progress
[ "${1:-}" != quick ] || { say "all tests passed (quick)"; exit 0; }

# Warnings are errors above only: under sanitizers gcc warns of the standard library's own code.
say "build with AddressSanitizer and UndefinedBehaviorSanitizer"
configure build-asan -DSCOUT_SANITIZE=address,undefined -DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1" "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O1 -g1"
ninja -C build-asan --quiet
say "tests, AddressSanitizer and UndefinedBehaviorSanitizer"
ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
  ctest --test-dir build-asan --output-on-failure -j "$jobs" --no-tests=error --progress -LE "install|no_asan"

say "threaded tests, ThreadSanitizer"
configure build-tsan -DSCOUT_SANITIZE=thread -DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1"
ninja -C build-tsan --quiet tsan_tests
ctest --test-dir build-tsan --output-on-failure -j "$jobs" --no-tests=error --progress -L tsan

say "fuzz targets, ${FUZZ_SECONDS:-20} s each"
configure build-fuzz -DSCOUT_BUILD_FUZZERS=ON -DSCOUT_BUILD_TESTS=ON -DSCOUT_BUILD_EXAMPLES=OFF \
  -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14
ninja -C build-fuzz --quiet fuzzers
tests/fuzz/run.sh build-fuzz "${FUZZ_SECONDS:-20}"

say "all tests passed"
