#!/usr/bin/env bash
# Builds the programs against Scout.dll and runs them; what they must answer is in the list of behaviours. Usage: test.sh FOLDER
# FOLDER holds Scout.dll and the native libraries; MCS and MONO name the compiler and the runtime.
set -euo pipefail
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
cp "$1"/Scout.dll "$1"/lib*.so* "$folder/"
for source in *.cs; do
  "${MCS:-mcs}" -nologo -langversion:7 -warn:4 -warnaserror "-r:$folder/Scout.dll" -r:System.Core.dll "-out:$folder/${source%.cs}.exe" "$source"
done
run() { "${MONO:-mono}" "$folder/$1.exe" "${@:2}"; }
value() { sed -n "/^case many.one_engine\$/,/^\$/s/^$1 //p" ../../bindings/conformance.txt | sed -n "$2p"; }
question=$(value prompt 1) answer=$(value text 1) other=$(value prompt 2) another=$(value text 2)

output=$(run Hello) && [ ${#output} -ge 40 ] || fail "Hello: $output"
output=$(run ChatTurns scout-tiny "$question" "$other") && grep -qFx -- "$answer" <<<"$output" && grep -qFx -- "$another" <<<"$output" || fail "ChatTurns: $output"
output=$(run Stream scout-tiny 50) && grep -q "^(cancelled after " <<<"$output" || fail "Stream: $output"
output=$(run Many scout-tiny "$question" "$other") && grep -qFx -- "  $answer" <<<"$output" && grep -qFx -- "  $another" <<<"$output" || fail "Many: $output"
# What the list of behaviours says of the bundled model: an answer, or why it sees no pictures.
refused=$(sed -n '/^case chat_image.picture_first$/,/^$/s/^names //p' ../../bindings/conformance.txt)
if [ -n "$refused" ]; then
  output=$(run Picture 2>&1) && fail "Picture: $output" || grep -qFx -- "picture: $refused" <<<"$output" || fail "Picture: $output"
else
  output=$(run Picture) && grep -qE "red|circle" <<<"$output" || fail "Picture: $output"
fi
echo "5 programs ran"
