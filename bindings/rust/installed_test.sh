#!/usr/bin/env bash
# Installs a build into a folder of its own, moves it, and uses it from a Rust program of a stranger's through pkg-config alone. Then the
# same with a version that is out of the range, which must be refused with a sentence.
# Usage: installed_test.sh BUILD_DIR SOURCE_DIR CMAKE CARGO
set -euo pipefail
build=$1 source=$2 cmake=$3 cargo=$4
command -v pkg-config >/dev/null || { echo "skipped: there is no pkg-config here"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

"$cmake" --install "$build" --prefix "$folder/first" >"$folder/log" || { cat "$folder/log"; fail "install"; }
mv "$folder/first" "$folder/moved"
libdir=$(dirname "$(find "$folder/moved" -name libscout.so.0 | head -1)")
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir CARGO_TARGET_DIR=$folder/target
unset SCOUT_LIB_DIR SCOUT_MODELS

mkdir -p "$folder/user/src"
cat >"$folder/user/Cargo.toml" <<TOML
[package]
name = "user"
version = "1.0.0"
edition = "2021"
[dependencies]
scout = { path = "$source/bindings/rust/scout" }
TOML
cp "$source/examples/rust/src/bin/hello.rs" "$folder/user/src/main.rs"
cd "$folder/user"
output=$("$cargo" run --offline --quiet 2>"$folder/log") || { cat "$folder/log"; fail "cargo run"; }
[ "$(printf %s "$output" | wc -c)" -ge 4 ] || fail "it printed only: $output"
echo "-- by pkg-config from a moved installation: ${output:0:60}..."

sed -i 's/^Version: .*/Version: 0.2.0/' "$libdir/pkgconfig/scout.pc"
export CARGO_TARGET_DIR=$folder/target2  # a changed .pc file alone does not make cargo ask again
if "$cargo" check --offline --quiet 2>"$folder/log"; then fail "version 0.2.0 was taken"; fi
grep -q "libscout 0.1 is not found" "$folder/log" || { cat "$folder/log"; fail "no sentence about the version"; }
echo "-- version 0.2.0 is refused: $(grep -i "scout < 0.2.0" "$folder/log" | head -1)"
SCOUT_LIB_DIR=$libdir "$cargo" check --offline --quiet || fail "SCOUT_LIB_DIR does not overrule pkg-config"
echo "-- SCOUT_LIB_DIR overrules it"
