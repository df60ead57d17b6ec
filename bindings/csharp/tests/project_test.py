#!/usr/bin/env python3
"""What dotnet pack would make of scout.csproj: its files are there, its version is the header's, every C# 8 name stands behind its condition.
Usage: project_test.py BUILD_DIR"""
import pathlib
import re
import sys
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parents[1]


def main(build):
    wrong = []
    project = xml.etree.ElementTree.parse(HERE / "scout.csproj").getroot()
    packed = {}
    for item in project.iter("None"):
        name = item.get("Include").replace("$(ScoutBuild)", build)
        packed[pathlib.PurePath(name).name] = item.get("PackagePath")
        if not (HERE / name).exists() and "Exists(" not in item.get("Condition", ""):
            wrong.append(f"scout.csproj packs {name}, which is not there")
    for library in ("libscout.so.0", "libscoutcsharp.so"):
        if packed.get(library) != "runtimes/linux-x64/native/":
            wrong.append(f"{library} is packed to {packed.get(library)}, expected runtimes/linux-x64/native/")
    header = (HERE.parents[1] / "include" / "scout" / "version.h").read_text(encoding="utf-8")
    version = ".".join(re.search(rf"SCOUT_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))
    if project.find(".//Version").text != version:
        wrong.append(f"scout.csproj is version {project.find('.//Version').text}, the header {version}")
    if project.find(".//TargetFrameworks").text != "netstandard2.0;netstandard2.1":
        wrong.append("scout.csproj has other target frameworks than .NET Standard 2.0 and 2.1")
    for source in sorted((HERE / "src").glob("*.cs")):
        inside = False
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("#if"):
                inside = line == "#if NETSTANDARD2_1_OR_GREATER || NETCOREAPP3_0_OR_GREATER"
            elif line.startswith("#endif"):
                inside = False
            elif not inside and re.search(r"IAsync(Enumer|Dispos)|ValueTask", line) and "///" not in line:
                wrong.append(f"{source.name}:{number}: not in .NET Standard 2.0")
    print("\n".join(wrong) or f"scout.csproj packs {', '.join(packed)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
