#!/usr/bin/env python3
"""The ABI against the stored baseline, by libabigail (abidw, abidiff).

  baseline.py write   --cc CC --include DIR --baseline FILE             record the headers as the baseline
  baseline.py check   --cc CC --include DIR --baseline FILE --lib LIB   the headers and the library against it
  baseline.py changes --cc CC --include DIR --baseline FILE             what must be noticed is, and what is allowed is not

The baseline is made from the headers alone: a library of empty functions, compiled with the enums kept in its debug information. The
real library is held against the same file, so that what it was compiled with is what the headers say. New functions and new enumerators
pass; a struct that grows at its end is allowed too (include/README.md), but the commit that does it records the baseline anew, because
libabigail cannot tell growth from a member that changed. Exit code 77 when libabigail is not there.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import abi

# (what it is, header, text, replacement, whether it must be refused)
CHANGES = [
    ("a struct member is moved", "device.h",
     "  const char *name;            /**< for scout_load_options.device: \"cpu\", \"ref\", \"cuda\", \"cuda:1\"; static */\n"
     "  const char *description;     /**< \"AVX-512 VNNI, 2 threads\"; static */\n  uint64_t memory_total_bytes; /**< of the device */\n",
     "  uint64_t memory_total_bytes; /**< of the device */\n"
     "  const char *name;            /**< for scout_load_options.device: \"cpu\", \"ref\", \"cuda\", \"cuda:1\"; static */\n"
     "  const char *description;     /**< \"AVX-512 VNNI, 2 threads\"; static */\n", True),
    ("a struct member changes its type", "engine.h", "uint64_t cache_salt;", "uint32_t cache_salt, cache_pepper;", True),
    ("a member is inserted in the middle", "request.h", "  float temperature; ", "  float fever;\n  float temperature; ", True),
    ("an enumerator is inserted and moves the others", "request.h",
     "  SCOUT_STOP_LENGTH = 3, ", "  SCOUT_STOP_TOKEN = 3,\n  SCOUT_STOP_LENGTH = 6, ", True),
    ("an enumerator is renumbered", "chat.h", "SCOUT_ROLE_TOOL = 3", "SCOUT_ROLE_TOOL = 4", True),
    ("a symbol is removed", "tokenizer.h", "SCOUT_API scout_status scout_stop_tokens(", "static scout_status scout_stop_tokens(", True),
    ("a parameter changes its type", "engine.h", "scout_engine_step(scout_engine *engine, int64_t budget_ms)",
     "scout_engine_step(scout_engine *engine, int32_t budget_ms)", True),
    ("a parameter is added", "engine.h", "scout_engine_wake(scout_engine *engine)", "scout_engine_wake(scout_engine *engine, int32_t how)", True),
    ("a result changes", "version.h", "SCOUT_API int32_t scout_version_number(void);", "SCOUT_API int64_t scout_version_number(void);", True),
    ("a function is added", "version.h", "SCOUT_API int32_t scout_version_number(void);",
     "SCOUT_API int32_t scout_version_number(void);\nSCOUT_API int32_t scout_version_age(void);", False),
    ("an enumerator is added", "chat.h", "SCOUT_ROLE_TOOL = 3", "SCOUT_ROLE_TOOL = 3, SCOUT_ROLE_CHOIR = 4", False),
    ("a member is added at the end", "device.h", "} scout_device_info;", "  uint64_t tag;\n} scout_device_info;", True),
]


def stub(cc, include, folder):
    """A library of empty functions with the headers' debug information."""
    lines = ["#include <scout/scout.h>"]
    for _, prototype in sorted(abi.functions(include).items()):
        lines.append(prototype + (" {}" if prototype.startswith("void scout") else " { return 0; }"))
    source, library = pathlib.Path(folder, "stub.c"), pathlib.Path(folder, "libscout.so")
    source.write_text("\n".join(lines) + "\n")
    subprocess.run([cc, "-std=c11", "-g", "-gdwarf-4", "-w", "-fno-eliminate-unused-debug-types", "-fPIC", "-shared", f"-I{include}",
                    "-Wl,-soname,libscout.so.0", str(source), "-o", str(library)], check=True)
    return library


def record(library, include, target):
    """What abidw reads out of a library, of the public headers only."""
    subprocess.run(["abidw", "--headers-dir", str(pathlib.Path(include, "scout")), "--drop-private-types", "--load-all-types", "--no-show-locs",
                    "--no-corpus-path", "--no-comp-dir-path", "--no-elf-needed", "--no-architecture", "--no-parameter-names",
                    "--out-file", str(target), str(library)], check=True)
    target.write_text(re.sub(r"path='[^']*/stub.c'", "path='stub.c'", target.read_text()))
    return target


def difference(baseline, now, all_types):
    """What is no longer as it was, "" for nothing."""
    run = subprocess.run(["abidiff", "--no-added-syms", "--no-corpus-path", "--no-architecture", "--no-show-locs"]
                         + (["--non-reachable-types"] if all_types else []) + [str(baseline), str(now)], capture_output=True, text=True)
    if run.returncode & 3:  # it could not compare
        sys.exit(f"abidiff: {run.stderr or run.stdout}")
    return run.stdout if run.returncode & 12 else ""


def functions_of(path):
    return set(re.findall(r"<elf-symbol name='(scout_\w+)'", pathlib.Path(path).read_text()))


def check(args, folder):
    problems = []
    now = record(stub(args.cc, args.include, folder), args.include, pathlib.Path(folder, "headers.abi"))
    found = difference(args.baseline, now, True)
    if found:
        problems.append("the headers are not what the baseline says:\n" + found)
    # Symbol versions are the library's own; the empty functions have none.
    library = record(args.lib, args.include, pathlib.Path(folder, "library.abi"))
    library.write_text(re.sub(r"(<elf-symbol [^>]*?) version='[^']*' is-default-version='[^']*'", r"\1", library.read_text()))
    described = pathlib.Path(library).read_text().count("<function-decl ")
    if described < len(abi.functions(args.include)):
        problems.append(f"{args.lib} has debug information of {described} functions only: build it with the tests on")
    found = difference(args.baseline, library, False)
    if found:
        problems.append("the library is not what the baseline says:\n" + found)
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{len(functions_of(args.baseline))} functions of the baseline, as they were, among {len(functions_of(library))} of the library")
    return 1 if problems else 0


def changes(args):
    wrong = 0
    for what, header, text, replacement, refused in CHANGES:
        with tempfile.TemporaryDirectory() as work:
            include = pathlib.Path(work, "include")
            shutil.copytree(args.include, include)
            path = include / "scout" / header
            before = path.read_text(encoding="utf-8")
            if text not in before:
                sys.exit(f"{what}: {header} has changed, and this case is out of date")
            path.write_text(before.replace(text, replacement, 1), encoding="utf-8")
            found = difference(args.baseline, record(stub(args.cc, include, work), include, pathlib.Path(work, "changed.abi")), True)
        verdict = "refused" if found else "allowed"
        print(f"{what}: {verdict}")
        if bool(found) != refused:
            wrong += 1
            print(f"  but it must be {'refused' if refused else 'allowed'}\n{found}")
        elif args.verbose and found:
            print("".join(f"    {line}\n" for line in found.splitlines()), end="")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["write", "check", "changes"])
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--include", required=True)
    parser.add_argument("--baseline", required=True)
    parser.add_argument("--lib")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    if not shutil.which("abidw") or not shutil.which("abidiff"):
        print("skipped: libabigail's abidw and abidiff are not there")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        if args.what == "write":
            record(stub(args.cc, args.include, folder), args.include, pathlib.Path(args.baseline))
            return 0
        return check(args, folder) if args.what == "check" else changes(args)


if __name__ == "__main__":
    sys.exit(main())
