#!/usr/bin/env python3
"""Compiles backends/onednn against every oneDNN whose headers are here: 2.6 and 3.x differ in how a primitive is described.

usage: tests/ops/onednn_headers.py COMPILER [INCLUDE_FOLDER...]

Looks into the folders given, those of the variable SCOUT_ONEDNN_HEADERS (separated by colons), where pip puts headers (PyPI's onednn-devel is
3.x), and where the system has them. Exits 1 when one does not compile, 77 when there are none of 3.x.
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def version_of(folder):
    """(major, minor) of the headers in a folder, or None."""
    header = pathlib.Path(folder) / "oneapi/dnnl/dnnl_version.h"
    if not header.is_file():
        return None
    numbers = dict(re.findall(r"#define DNNL_VERSION_(MAJOR|MINOR)\s+(\d+)", header.read_text()))
    return int(numbers["MAJOR"]), int(numbers["MINOR"])


def main():
    compiler, folders = sys.argv[1], sys.argv[2:]
    folders += [f for f in os.environ.get("SCOUT_ONEDNN_HEADERS", "").split(":") if f]
    folders += [f"{sys.prefix}/include", f"{sys.base_prefix}/include", os.path.expanduser("~/.local/include"), "/usr/local/include",
                "/opt/intel/oneapi/dnnl/latest/include", "/usr/include"]
    found, failed = {}, False
    for folder in folders:
        version = version_of(folder)
        if version is not None and version >= (2, 6):
            found.setdefault(version, folder)
    for version, folder in sorted(found.items()):
        # A compiler's own folder must not come before the C++ library's.
        include = [] if folder == "/usr/include" else ["-isystem", folder]
        run = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wno-sign-conversion",
                              "-Werror", "-I", ROOT / "src", *include, '-DSCOUT_PLUGIN_CONTRACT=""', '-DSCOUT_PLUGIN_VERSION=""',
                              ROOT / "backends/onednn/onednn_products.cpp"], capture_output=True, text=True)
        print(f"oneDNN {version[0]}.{version[1]} in {folder}: {'compiles' if run.returncode == 0 else 'does not compile'}")
        sys.stderr.write(run.stderr)
        failed |= run.returncode != 0
    if failed:
        return 1
    if not any(major >= 3 for major, _ in found):
        print("skipped: there are no headers of oneDNN 3 (pip install onednn-devel, or SCOUT_ONEDNN_HEADERS)")
        return 77
    return 0


sys.exit(main())
