#!/usr/bin/env python3
"""Reads the public headers and says what the ABI is: functions, enumerators, and the layout of every struct.

  abi.py golden  --cc CC --include DIR --golden FILE [--update]   compare with (or rewrite) the committed description
  abi.py symbols --include DIR                                    the declared functions, one a line
  abi.py exports --include DIR --lib LIBSCOUT                     what the shared library gives and takes, against the rules
  abi.py needs   --lib LIBSCOUT --golden FILE                     the libraries and versions that it needs, against the committed list

Only the standard library and binutils are used. The headers are plain enough for a few regular expressions; what they do not
understand, they refuse.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile


def sources(include):
    for path in sorted(pathlib.Path(include, "scout").glob("*.h")):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        yield path, re.sub(r"^\s*#.*$", "", text, flags=re.M)


def functions(include):
    """name -> prototype with the white space normalised."""
    found = {}
    for path, text in sources(include):
        for match in re.finditer(r"SCOUT_API\s+([^;{}]+?\b(scout_\w+)\s*\([^;{}]*\))\s*;", text):
            name = match[2]
            if name in found:
                sys.exit(f"{path}: {name} is declared twice")
            found[name] = re.sub(r"\s+", " ", match[1]).strip()
        if len(re.findall(r"\bSCOUT_API\b", text)) != len(re.findall(r"SCOUT_API\s+[^;{}]+?\bscout_\w+\s*\([^;{}]*\)\s*;", text)):
            sys.exit(f"{path}: a SCOUT_API declaration that this script does not understand")
    return found


def structs(include):
    """name -> members in order."""
    found = {}
    for path, text in sources(include):
        for match in re.finditer(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*(\w+)\s*;", text, flags=re.S):
            members = []
            for declaration in match[2].split(";"):
                if not declaration.strip():
                    continue
                for part in declaration.split(","):
                    name = re.search(r"(\w+)\s*(\[[^\]]*\])?\s*$", part.strip())
                    if not name:
                        sys.exit(f"{path}: {match[1]}: cannot read the member {declaration.strip()!r}")
                    members.append(name[1])
            found[match[3]] = members
    return found


def enumerators(include):
    names = []
    for _, text in sources(include):
        for body in re.findall(r"\benum\s+\w+\s*\{(.*?)\}", text, flags=re.S):
            names += re.findall(r"\b(SCOUT_\w+)\b", body)
    return names


def describe(cc, include):
    """The ABI as text: what a compiler makes of the headers."""
    lines = ['#include <scout/scout.h>', '#include <stdio.h>', 'int main(void) {']
    for name in enumerators(include):
        lines.append(f'  printf("enum {name} = %d\\n", (int){name});')
    for name, members in sorted(structs(include).items()):
        lines.append(f'  printf("struct {name} size %zu\\n", sizeof({name}));')
        for member in members:
            lines.append(f'  printf("struct {name} %3zu +%zu {member}\\n", offsetof({name}, {member}), sizeof((({name} *)0)->{member}));')
    lines += ['  return 0;', '}', '']
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "layout.c")
        source.write_text("\n".join(lines))
        program = pathlib.Path(folder, "layout")
        subprocess.run([cc, "-std=c99", f"-I{include}", str(source), "-o", str(program)], check=True)
        layout = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    prototypes = "".join(f"function {text}\n" for _, text in sorted(functions(include).items()))
    return layout + prototypes


def golden(args):
    now = describe(args.cc, args.include)
    path = pathlib.Path(args.golden)
    if args.update:
        path.write_text(now)
        return 0
    before = path.read_text().splitlines()
    after = now.splitlines()
    gone = [line for line in before if line not in set(after)]
    new = [line for line in after if line not in set(before)]
    for line in gone:
        print(f"was, and is no more: {line}")
    for line in new:
        print(f"new, and not recorded: {line}")
    if gone or new:
        print(f"The ABI is not what {path.name} says. If that is meant, say **ABI** in the commit and run this script with --update.")
        return 1
    print(f"{len(after)} lines of ABI as recorded")
    return 0


# Symbols that the library may not take from elsewhere: they end the process, write to its output, or run at a thread's end.
FORBIDDEN = {"abort", "exit", "_exit", "quick_exit", "printf", "puts", "putchar", "perror", "signal", "sigaction", "setlocale", "system",
             "__cxa_thread_atexit", "__cxa_thread_atexit_impl", "stdout", "stderr"}

# The compiler's own: it registers exception tables, and reads cpuid for __builtin_cpu_supports.
RUN_AT_LOAD = {"frame_dummy", "__cpu_indicator_init"}


def constructors(lib):
    """The names of the functions in .init_array, or their addresses where the library is stripped."""
    sections = subprocess.run(["readelf", "-S", "-W", lib], check=True, capture_output=True, text=True).stdout
    where = re.search(r"\.init_array\s+INIT_ARRAY\s+([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)", sections)
    begin, size = (int(where[1], 16), int(where[2], 16)) if where else (0, 0)
    table = subprocess.run(["nm", lib], check=True, capture_output=True, text=True).stdout
    names = {int(address, 16): name for address, name in re.findall(r"^([0-9a-f]+) [tT] (\S+)$", table, flags=re.M)}
    relocations = subprocess.run(["readelf", "-r", "-W", lib], check=True, capture_output=True, text=True).stdout
    for offset, target in re.findall(r"^([0-9a-f]+) .*_RELATIVE\s+([0-9a-f]+)$", relocations, flags=re.M):
        if begin <= int(offset, 16) < begin + size:
            yield names.get(int(target, 16), "the function at 0x" + target)


def number(version):
    return tuple(int(part) for part in re.findall(r"\d+", version))


def needs(args):
    """The libraries and, of each, the newest version and every symbol past the limit that the committed list gives for it.

    The list's lines: a library's name; "at most VERSION" for a name's versions; "beyond VERSION SYMBOL" for an exception, with the reason as
    a comment. A symbol that is listed and not needed is no failure: another compiler or libc may do without."""
    libraries, limits, allowed = set(), {}, set()
    for line in pathlib.Path(args.golden).read_text().splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["library"]:
            libraries.add(words[1])
        elif words[:2] == ["at", "most"]:
            limits[words[2].split("_")[0]] = number(words[2])
        elif words[:1] == ["beyond"]:
            allowed.add((words[1], words[2]))
        elif words:
            sys.exit(f"{args.golden}: cannot read {line!r}")
    problems, newest = [], {}
    dynamic = subprocess.run(["readelf", "-d", "-W", args.lib], check=True, capture_output=True, text=True).stdout
    needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
    print("needs " + " ".join(needed))
    problems += [f"{name} is needed: the library stands on libc, libm and what carries C++ only" for name in needed if name not in libraries]
    for line in subprocess.run(["nm", "-D", args.lib], check=True, capture_output=True, text=True).stdout.splitlines():
        kind, name = line.split()[-2:]
        name, _, version = name.replace("@@", "@").partition("@")
        family = version.split("_")[0]
        if kind not in "Uwv" or not version:
            continue
        if family not in limits:
            problems.append(f"{name} has the version {version}, of which the list says nothing")
        elif number(version) > limits[family]:
            print(f"beyond {version} {name}")
            if (version, name) not in allowed:
                problems.append(f"{name} has the version {version}, past the list's limit, and is not listed")
        elif number(version) > newest.get(family, ((0,), ""))[0]:
            newest[family] = (number(version), version)
    print("newest of the others: " + " ".join(version for _, version in sorted(newest.values(), key=lambda v: v[1])))
    print("\n".join(problems) if problems else "as listed")
    return 1 if problems else 0


def exports(args):
    problems = []
    declared = set(functions(args.include))
    given, taken = set(), set()
    for line in subprocess.run(["nm", "-D", args.lib], check=True, capture_output=True, text=True).stdout.splitlines():
        kind, name = line.split()[-2:]
        name, _, version = name.partition("@")
        if kind in "Uwv":
            taken.add(name)
        elif kind == "u":
            problems.append(f"{name} is GNU-unique: it would pin the library and merge with other copies")
        elif kind == "A" and name.startswith("SCOUT_"):
            continue
        else:
            given.add(name)
            if not version.strip("@").startswith("SCOUT_"):
                problems.append(f"{name} has no version")
    for name in sorted(given - declared):
        problems.append(f"{name} is exported and not declared in a header")
    for name in sorted(declared - given):
        problems.append(f"{name} is declared and not exported")
    for name in sorted(taken & FORBIDDEN):
        problems.append(f"{name} is used by the library and must not be")
    dynamic = subprocess.run(["readelf", "-d", "-W", args.lib], check=True, capture_output=True, text=True).stdout
    soname = re.search(r"SONAME.*\[(.*)\]", dynamic)
    if not soname or soname[1] != "libscout.so.0":
        problems.append(f"SONAME is {soname[1] if soname else 'missing'}, not libscout.so.0")
    for name in constructors(args.lib):
        if name not in RUN_AT_LOAD:
            problems.append(f"{name} runs when the library is loaded")
    if "NODELETE" not in dynamic:
        problems.append("not linked with -z nodelete")
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        problems.append("has a run path")
    if "TEXTREL" in dynamic:
        problems.append("has text relocations")
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{len(given)} symbols, all declared and versioned; nothing forbidden among {len(taken)} imports")
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["golden", "symbols", "exports", "needs"])
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--include")
    parser.add_argument("--golden")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--lib")
    args = parser.parse_args()
    if args.what == "symbols":
        print("\n".join(sorted(functions(args.include))))
        return 0
    return {"golden": golden, "exports": exports, "needs": needs}[args.what](args)


if __name__ == "__main__":
    sys.exit(main())
