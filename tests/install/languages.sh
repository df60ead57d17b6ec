# Read by install_test.sh: a program in each language, built against an installation that pkg-config finds (PKG_CONFIG_PATH is set), which
# must answer as hello.c does. A language whose tool chain is not here is skipped, saying so.

# answers LANGUAGE EXPECTED COMMAND...
answers() {
  local language=$1 expected=$2 output
  shift 2
  output=$("$@" </dev/null) || fail "$language: the program fails"
  [ "$output" = "$expected" ] || fail "$language: the program prints $output, not $expected"
  echo "   $language: ${output:0:100}..."
}

cplusplus() {  # work expected
  # shellcheck disable=SC2046
  "$cxx" -std=c++17 -Wall -Wextra -Wpedantic -Werror "$source/examples/cpp/hello.cpp" -o "$1/hello_cpp" $(pkg-config --cflags --libs scout)
  answers C++ "$2" "$1/hello_cpp"
}

python() {  # work expected
  local include folder=$1/python
  if ! include=$(python3 -c 'import sys, sysconfig; print(sysconfig.get_paths()["include"]); sys.exit(sys.version_info < (3, 9))' 2>/dev/null) ||
    [ ! -e "$include/Python.h" ]; then
    say "Python: skipped, no Python 3.9 or later with its headers"
    return 0
  fi
  mkdir -p "$folder/scout"
  cp "$source"/bindings/python/src/scout/*.py "$folder/scout/"
  # shellcheck disable=SC2046
  "$cc" -shared -fPIC -O1 -w -DPy_LIMITED_API=0x03090000 "-I$include" "-I$(pkg-config --variable=swigdir scout)" "$source/bindings/python/native/native.c" \
    $(pkg-config --cflags --libs scout) -o "$folder/scout/_native.abi3.so"
  answers Python "$2" env "PYTHONPATH=$folder" PYTHONDONTWRITEBYTECODE=1 python3 "$source/examples/python/hello.py"
}

go_language() {  # prefix work expected
  local version folder=$2/go
  version=$(GOTOOLCHAIN=local go version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p') || true
  if [ "${version:-0}" -lt 23 ]; then
    say "Go: skipped, no Go of 1.23 or later on PATH"
    return 0
  fi
  mkdir -p "$folder"
  cp "$source/examples/go/hello/main.go" "$folder/"
  printf 'module user\n\ngo 1.23\n\nrequire libscout/scout v0.0.0\n\nreplace libscout/scout => %s\n' "$1/share/gocode/src/libscout/scout" >"$folder/go.mod"
  (cd "$folder" && GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=mod GOCACHE=$build/go-cache go build -o hello .) || fail "Go: building"
  answers Go "$3" "$folder/hello"
}

rust() {  # prefix work expected
  local cargo folder=$2/rust
  cargo=$(PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin command -v cargo) || { say "Rust: skipped, there is no cargo here"; return 0; }
  mkdir -p "$folder/src" "$folder/.cargo"
  cp "$source/examples/rust/src/bin/hello.rs" "$folder/src/main.rs"
  printf '[package]\nname = "user"\nversion = "1.0.0"\nedition = "2021"\n[dependencies]\nscout = "0.1"\n' >"$folder/Cargo.toml"
  # As in Debian's own builds: the crates come from the installation alone.
  printf '[source.crates-io]\nreplace-with = "installed"\n[source.installed]\ndirectory = "%s"\n' "$1/share/cargo/registry" >"$folder/.cargo/config.toml"
  (cd "$folder" && CARGO_TARGET_DIR=$folder/target "$cargo" build --offline --quiet 2>"$2/log") || { cat "$2/log"; fail "Rust: building"; }
  answers Rust "$3" "$folder/target/debug/user"
}

csharp() {  # prefix work expected
  local folder=$2/csharp
  if ! command -v mcs >/dev/null || ! command -v mono >/dev/null || [ ! -e "$build/csharp/package/Scout.dll" ]; then
    say "C#: skipped, there is no Mono here"
    return 0
  fi
  mkdir -p "$folder"
  cp "$(dirname "$(find "$1/lib/cli" -name Scout.dll)")"/* "$folder/"
  mcs -nologo -langversion:7 "-r:$folder/Scout.dll" "-out:$folder/Hello.exe" "$source/examples/csharp/Hello.cs"
  answers "C#" "$3" mono "$folder/Hello.exe"
}

java_language() {  # prefix work expected
  local folder=$2/java
  if ! command -v javac >/dev/null || [ ! -e "$1/share/java/scout.jar" ]; then
    say "Java: skipped, there is no JDK here"
    return 0
  fi
  mkdir -p "$folder"
  javac --release 17 -cp "$1/share/java/scout.jar" -d "$folder" "$source/examples/java/Hello.java" || fail "Java: building"
  answers Java "$3" java -XX:+UseSerialGC "-Djava.library.path=$(dirname "$(find "$1" -name libscoutjava.so)")" -cp "$1/share/java/scout.jar:$folder" Hello
}
