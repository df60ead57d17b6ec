#!/usr/bin/env bash
# Installs the Debian packages that building (and, with "tests", testing) libscout needs and that are missing.
# Usage: examples/packages.sh build|tests
set -euo pipefail
wanted=(g++ cmake ninja-build pkg-config nlohmann-json3-dev libcli11-dev libedit-dev libpng-dev libjpeg62-turbo-dev libwebp-dev)
if [ "${1:-build}" = tests ]; then
  wanted+=(libgtest-dev clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 binutils abigail-tools python3 locales mono-mcs dpkg-dev lintian man-db
    valgrind)
  wanted+=(libbenchmark-dev)
  wanted+=(libdnnl-dev)                                                      # oneDNN, for products: optional too
  wanted+=(libavformat-dev libavcodec-dev libavutil-dev libswscale-dev)  # video: large, and optional for who only builds
fi
missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "-- packages: everything needed is installed"
  exit 0
fi
echo "-- packages: installing ${missing[*]}"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
