#!/usr/bin/env python3
"""Runs the list of behaviours in every language that a build has, and writes the table of results into bindings/README.md.

  table.py BUILD_DIR [LANGUAGE=FILE...]     a FILE is the output of a runner that was run elsewhere
"""
import collections
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- conformance: written by bindings/conformance/table.py -->", "<!-- end -->"
RESULT = re.compile(r"^(?:\d+: )?(ok|n/a|FAILED) ([\w.]+)", re.M)
SUM = re.compile(r"^(?:\d+: )?([A-Za-z#+]+): \d+ ok, \d+ n/a, \d+ failed$", re.M)


def results(build, given):
    """language -> {case: 'ok', 'n/a' or 'FAILED'}"""
    found = {}
    output = subprocess.run(["ctest", "--test-dir", build, "-R", "[Cc]onformance", "-E", "FailsWhereItShould|SpoilList", "-V"], text=True,
                            capture_output=True).stdout
    # ctest numbers the lines of each test: "57: ok facts".
    texts = collections.defaultdict(str)
    for line in output.splitlines(keepends=True):
        number = re.match(r"(\d+): ", line)
        if number:
            texts[number[1]] += line
    texts.update({name: pathlib.Path(file).read_text() for name, _, file in (g.partition("=") for g in given)})
    for text in texts.values():
        language = SUM.search(text)
        if language:
            name = language[1][:1].upper() + language[1][1:]
            found[name] = {case: result for result, case in RESULT.findall(text)}
    return found


def table(found, cases):
    languages = sorted(found, key=lambda name: (name != "C", name))
    kinds = collections.defaultdict(list)
    for case in cases:
        kinds[case["kind"]].append(case["name"])
    rows = [f"| behaviour | cases | {' | '.join(languages)} |", "|---" * (len(languages) + 2) + "|"]

    def cell(language, names):
        counted = collections.Counter(found[language].get(name, "missing") for name in names)
        if counted["ok"] == len(names):
            return "all"
        return ", ".join(f"{counted[what]} {what}" for what in ("ok", "n/a", "FAILED", "missing") if counted[what])

    for kind, names in kinds.items():
        rows.append(f"| {kind.replace('_', ' ')} | {len(names)} | {' | '.join(cell(language, names) for language in languages)} |")
    every = [case["name"] for case in cases]
    rows.append(f"| **in all** | {len(every)} | {' | '.join(cell(language, every) for language in languages)} |")
    bad = [language for language in languages if re.search("FAILED|missing", cell(language, every))]
    return "\n".join(rows), bad


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    cases = json.loads((HERE.parent / "conformance.json").read_text())["cases"]
    found = results(sys.argv[1], sys.argv[2:])
    if not found:
        sys.exit("no runner gave results: build first, and see ctest -R onformance")
    rows, bad = table(found, cases)
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{rows}\n{END}{after}", encoding="utf-8")
    print(rows.splitlines()[-1])
    if bad:
        sys.exit(f"not everything is shown in: {', '.join(bad)}")


if __name__ == "__main__":
    main()
