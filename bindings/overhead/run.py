#!/usr/bin/env python3
"""What a binding costs: the same work in every language that a build has, in turn, and the table of it in bindings/README.md.

  run.py BUILD_DIR [--rounds N]     builds the programs of this folder and writes the table; some minutes
  run.py BUILD_DIR --shared         the same on a machine that others use: clock time stays out of the table, processor time stays in
  run.py BUILD_DIR --check          little work, once: every language does the same and gives figures; no table
"""
import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- overhead: written by bindings/overhead/run.py -->", "<!-- overhead end -->"


def environment(build):
    return dict(os.environ, SCOUT_MODELS=str(ROOT / "examples/models"), LD_LIBRARY_PATH=str(build / "lib"), PYTHONPATH=str(build / "python"),
                PYTHONDONTWRITEBYTECODE="1", SCOUT_LIB_DIR=str(build / "lib"), CARGO_TARGET_DIR=str(build / "cargo"), GOTOOLCHAIN="local",
                GOPROXY="off", GOFLAGS="-mod=mod", GOCACHE=str(build / "go-cache"), PKG_CONFIG_PATH=str(build / "bindings/go"))


def programs(build, env):
    """language -> command; what has no tool chain or was not built is left out, saying so."""
    folder = build / "overhead"
    folder.mkdir(exist_ok=True)
    found = {}

    def add(language, needed, command, *steps, cwd=HERE):
        missing = [str(what) for what in needed if not (shutil.which(what) if isinstance(what, str) else what.exists())]
        if missing:
            print(f"{language}: left out: there is no {', '.join(missing)}")
            return
        for step in steps:
            subprocess.run([str(word) for word in step], check=True, env=env, cwd=cwd)
        found[language] = [str(word) for word in command]

    add("C", [os.environ.get("CC", "cc")], [folder / "overhead"],
        [os.environ.get("CC", "cc"), "-O2", f"-I{ROOT}/include", "overhead.c", f"-L{build}/lib", "-lscout", "-o", folder / "overhead"])
    csharp, mono, mcs = build / "csharp", os.environ.get("MONO", "mono"), os.environ.get("MCS", "mcs")
    add("C#", [mcs, mono, csharp / "Scout.dll"], [mono, csharp / "Overhead.exe"],
        [mcs, "-nologo", "-optimize", f"-r:{csharp}/Scout.dll", "-r:System.Core.dll", f"-out:{csharp}/Overhead.exe", "Overhead.cs"])
    add("Go", ["go", build / "bindings/go/scout.pc"], [folder / "overhead-go"],
        ["go", "build", "-o", folder / "overhead-go", "."], cwd=HERE / "go")
    jar = build / "java/scout.jar"
    add("Java", ["javac", "java", jar], ["java", "-cp", f"{jar}:{folder}", "Overhead"], ["javac", "-cp", jar, "-d", folder, "Overhead.java"])
    add("Python", [build / "python/scout/_native.abi3.so"], [sys.executable, HERE / "overhead.py"])
    add("Rust", ["cargo"], [build / "cargo/release/examples/overhead"],
        ["cargo", "build", "--release", "--offline", "--locked", "--quiet", "-p", "scout", "--example", "overhead"], cwd=HERE.parent / "rust")
    return found


def run(command, env, size):
    done = subprocess.run(command + [str(number) for number in size], env=env, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{command[0]}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    figures = {name: float(value) for name, value in re.findall(r"^(\w+) ([\d.]+)$", done.stdout, re.M)}
    if set(figures) != {"event", "many", "many_processor", "one", "one_processor", "events", "bytes"} or min(figures.values()) <= 0:
        sys.exit(f"{command[0]} gives no figures:\n{done.stdout}")
    return figures


def measure(found, env, size, rounds):
    """language -> figure -> its values, round by round. Before and after every other language C runs, and under "C beside LANGUAGE" is the mean of
    these two: a machine that is shared changes its speed from one second to the next, so only neighbours are compared."""
    values = {}

    def note(who, figures):
        for name, value in figures.items():
            values.setdefault(who, {}).setdefault(name, []).append(value)

    for _ in range(rounds):
        before = run(found["C"], env, size)
        note("C", before)
        for language, command in found.items():
            if language == "C":
                continue
            figures, after = run(command, env, size), run(found["C"], env, size)
            if any(figures[name] != after[name] for name in ("events", "bytes")):
                sys.exit(f"{language} does not do the same work as C: {figures}, {after}")
            note(language, figures)
            note(f"C beside {language}", {name: (before[name] + after[name]) / 2 for name in after})
            before = after
    return values


def share(values, language, figure):
    """Of C's: the median of the rounds' ratios, and how far they spread."""
    ratios = sorted(mine / theirs for mine, theirs in zip(values[language][figure], values[f"C beside {language}"][figure]))
    return f"{statistics.median(ratios):.1%} ({ratios[0]:.0%} to {ratios[-1]:.0%})"


def table(found, values, size, rounds, shared=False):
    languages = list(found)
    rows = [f"| | {' | '.join(languages)} |", "|---" * (len(languages) + 1) + "|"]
    rows.append("| ns per event | " + " | ".join(f"{statistics.median(values[name]['event']):.0f}" for name in languages) + " |")
    at_once, one_by_one = f"{size[0]} requests of {size[1]} tokens at once", f"requests of {size[1]} tokens one by one"
    works = (("many", f"tokens/s, {at_once}"), ("one", f"tokens/s, {one_by_one}"), ("many_processor", f"tokens per processor second, {at_once}"),
             ("one_processor", f"tokens per processor second, {one_by_one}"))
    for figure, words in works[2:] if shared else works:
        rows.append(f"| {words} | " + " | ".join(f"{statistics.median(values[name][figure]):.0f}" for name in languages) + " |")
        rows.append("| of C's, before and after it | | " + " | ".join(share(values, name, figure) for name in languages if name != "C") + " |")
    return "\n".join(rows) + f"\n\nMedians of {rounds} rounds; a round's figure is the best of {size[2]} runs in one process. In brackets the lowest and the highest round."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=18)
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    build = given.build.resolve()
    env = environment(build)
    found = programs(build, env)
    # Mono counts processor time in hundredths of a second: the least must take several.
    size, rounds = ((16, 40, 2), 1) if given.check else ((50, 100, 3), given.rounds)
    if "C" not in found:
        sys.exit("without a C compiler there is nothing to compare with")
    values = measure(found, env, size, rounds)
    written = table(found, values, size, rounds, given.shared)
    print(written)
    if given.check:
        return
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{written}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
