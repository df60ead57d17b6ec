#!/usr/bin/env bash
# Makes a clean Debian in a folder, installs the packages there with apt, uses them, purges them, and shows that nothing is left. Needs root,
# debootstrap and a Debian mirror, and takes some minutes: not part of the tests that run every time.
# Usage: debian_root.sh PACKAGES_DIR SOURCE_DIR [SUITE [MIRROR]]     PACKAGES_DIR: what cpack -G DEB made
# LANGUAGES=1 debian_root.sh ...     Java, C# and Rust too, whose tool chains are several hundred megabytes more
set -euo pipefail
packages=$(realpath "$1") source=$(realpath "$2") suite=${3:-bookworm} mirror=${4:-http://deb.debian.org/debian}
command -v debootstrap >/dev/null || { echo "there is no debootstrap here (Debian: debootstrap)" >&2; exit 77; }
[ "$(id -u)" -eq 0 ] || { echo "a clean Debian can be made by root only" >&2; exit 77; }
folder=$(mktemp -d)
root=$folder/root
say() { echo "== $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
end() {
  umount "$root/proc" 2>/dev/null || true
  rm -rf --one-file-system "$folder"
}
trap end EXIT
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
# Every path with its type, without what dpkg, apt and the caches of the system write about themselves.
tree() { (cd "$root" && find . -xdev -printf '%y %p\n' | grep -v -E '^. \./(tmp|proc|var/lib/(dpkg|apt)|var/cache|var/log|etc/ld\.so\.cache)(/|$)' | sort); }

say "a clean $suite"
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$folder/log" 2>&1 || { tail -20 "$folder/log"; fail "debootstrap"; }
mount -t proc proc "$root/proc"
cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
inside cat /etc/debian_version
say "what the packages and the check need: libraries, a compiler, pkg-config, cmake, Python"
inside apt-get update -qq >"$folder/log" 2>&1 || { tail "$folder/log"; fail "apt-get update"; }
tools=(gcc g++ libc6-dev pkgconf cmake make python3 libedit2 libjpeg62-turbo libpng16-16 libwebp7 libavformat59 libavcodec59 libavutil57 libswscale6 libdnnl2)
[ -z "${LANGUAGES:-}" ] || tools+=(openjdk-17-jdk-headless mono-mcs cargo)
inside apt-get install -y -qq --no-install-recommends "${tools[@]}" >"$folder/log" 2>&1 || { tail "$folder/log"; fail "apt-get install"; }
tree >"$folder/before"

say "installing"
mkdir "$root/tmp/packages"
cp "$packages"/*.deb "$root/tmp/packages/"
cp "$source/examples/c/hello.c" "$source"/examples/cpp/{hello.cpp,scout_owners.h} "$source/examples/python/hello.py" "$root/tmp/"
(cd "$root/tmp/packages" && ls ./*.deb)
inside sh -c 'apt-get install -y -qq --no-install-recommends /tmp/packages/*.deb' >"$folder/log" 2>&1 || { tail -30 "$folder/log"; fail "apt-get install of the packages"; }
inside dpkg -l | grep -E 'scout' | awk '{print "   " $1, $2, $3, $4}'
tree >"$folder/installed"
inside dpkg --audit | grep . && fail "dpkg --audit has something to say"
new=$(comm -13 "$folder/before" "$folder/installed" | grep -c '^[fl]')
say "$new files more; using them"
[ "$new" -gt 50 ] || fail "only $new files were installed"

inside ldconfig -p | grep 'libscout.so.0 ' || fail "the loader does not know libscout.so.0"
inside scout --version | head -1
answer=$(inside scout run scout-tiny "What is 7 plus 5?")
echo "   scout run scout-tiny \"What is 7 plus 5?\": $answer"
[ "$answer" = "7 + 5 = 12." ] || fail "scout answers $answer"
inside sh -ec 'cd /tmp; cc -std=c99 hello.c -o hello $(pkg-config --cflags --libs scout); c++ hello.cpp -o hello_cpp $(pkg-config --cflags --libs scout)
  cc -std=c99 -static hello.c -o hello_static $(pkg-config --cflags --static --libs scout) 2>/dev/null
  mkdir -p project; cp hello.c project/
  printf "cmake_minimum_required(VERSION 3.22)\nproject(user C)\nfind_package(scout 0.1 REQUIRED COMPONENTS shared program models)\nadd_executable(hello hello.c)\ntarget_link_libraries(hello PRIVATE scout::scout)\n" >project/CMakeLists.txt
  cmake -S project -B project/build >/dev/null && cmake --build project/build >/dev/null'
wanted=$(inside /tmp/hello)
for program in "/tmp/hello" "/tmp/hello_cpp" "/tmp/project/build/hello" "env SCOUT_MODELS=/usr/share/scout/models /tmp/hello_static" "python3 /tmp/hello.py"; do
  # shellcheck disable=SC2086
  answer=$(inside $program) || fail "$program"
  echo "   $program: ${answer:0:90}..."
  [ ${#answer} -ge 40 ] && [ "$answer" = "$wanted" ] || fail "$program answers $answer"
done
if [ -n "${LANGUAGES:-}" ]; then
  mkdir -p "$root/tmp/rust/src" "$root/tmp/rust/.cargo"
  cp "$source/examples/java/Hello.java" "$source/examples/csharp/Hello.cs" "$root/tmp/"
  cp "$source/examples/rust/src/bin/hello.rs" "$root/tmp/rust/src/main.rs"
  printf '[package]\nname = "user"\nversion = "1.0.0"\nedition = "2021"\n[dependencies]\nscout = "0.1"\n' >"$root/tmp/rust/Cargo.toml"
  printf '[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "/usr/share/cargo/registry"\n' >"$root/tmp/rust/.cargo/config.toml"
  inside sh -ec 'cd /tmp; javac -cp /usr/share/java/scout.jar Hello.java; mcs -nologo -r:/usr/lib/cli/scout-0.1/Scout.dll Hello.cs; cd rust; cargo build --offline --quiet'
  for program in "java -cp /usr/share/java/scout.jar:/tmp Hello" "env MONO_PATH=/usr/lib/cli/scout-0.1 mono /tmp/Hello.exe" "/tmp/rust/target/debug/user"; do
    # shellcheck disable=SC2086
    answer=$(inside $program) || fail "$program"
    echo "   $program: ${answer:0:90}..."
    [ "$answer" = "$wanted" ] || fail "$program answers $answer"
  done
fi

say "purging"
# shellcheck disable=SC2046
inside apt-get purge -y -qq $(inside dpkg-query -W -f '${Package} ${Source}\n' | awk '$2 == "libscout" {print $1}') >"$folder/log" 2>&1 || { tail "$folder/log"; fail "purging"; }
! grep -i -E 'not empty|warning' "$folder/log" || fail "purging leaves something behind"
! inside dpkg -l | grep scout || fail "dpkg still knows a package"
! inside ldconfig -p | grep libscout || fail "the loader still knows libscout"
tree >"$folder/after"
diff "$folder/before" "$folder/after" >"$folder/left" || { cat "$folder/left"; fail "something is left, or gone"; }
find "$root" -xdev -path "$root/tmp" -prune -o -path "$root/proc" -prune -o -path "$root/var/log" -prune -o -name '*scout*' -print | grep . && fail "a file of that name is left"
say "nothing is left: $(wc -l <"$folder/after") paths before and after"
