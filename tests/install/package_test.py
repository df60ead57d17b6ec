#!/usr/bin/env python3
"""Makes the Debian packages and the tarball of a build folder and looks at them: what is in each, what each needs, that lintian has no error
to report (where it is installed), and that the tarball works wherever it is unpacked.

Usage: package_test.py CPACK BUILD_DIR SOURCE_DIR [KEEP]     KEEP: a folder for the packages; exit code 77: a tool of Debian's is missing
"""
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CPACK, BUILD, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]).resolve()
problems = []


def problem(text):
    problems.append(text)
    print("PROBLEM: " + text)


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"{command[0]} fails with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def pack(generator, folder):
    log = run(CPACK, "-G", generator, "--config", BUILD / "CPackConfig.cmake", "-B", folder)
    shutil.rmtree(folder / "_CPack_Packages", ignore_errors=True)
    return log


def lists():
    """package -> patterns, from packages.txt"""
    found, package = {}, None
    for line in pathlib.Path(__file__).with_name("packages.txt").read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] != " ":
            package = found.setdefault(line.strip(), [])
        else:
            package.append(line.strip())
    return found


def contents(deb):
    """The files of a package, and its folders that are empty, with a slash at the end."""
    names = [line.split(None, 5)[5].split(" -> ")[0].removeprefix("./") for line in run("dpkg-deb", "-c", deb).splitlines()]
    return [name for name in names if name and not (name.endswith("/") and any(other != name and other.startswith(name) for other in names))]


def field(deb, name):
    return run("dpkg-deb", "-f", deb, name).strip()


def look(deb, patterns):
    name = field(deb, "Package")
    files = contents(deb)
    for file in ("copyright", "changelog.gz", "changelog.Debian.gz"):
        patterns = [*patterns, f"usr/share/doc/{name}/{file}"]
    for file in files:
        if not any(fnmatch.fnmatchcase(file, pattern) for pattern in patterns):
            problem(f"{name} holds {file}, which packages.txt does not list")
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(file, pattern) for file in files):
            problem(f"{name} holds no {pattern}")
    print(f"-- {deb.name}: {len(files)} files, {deb.stat().st_size} bytes; depends: {field(deb, 'Depends') or 'nothing'}")


def look_into(deb, root):
    """What is inside the programs and libraries of an unpacked package."""
    for file in root.rglob("*"):
        if file.is_symlink() or not file.is_file() or file.read_bytes()[:4] != b"\x7fELF":
            continue
        if re.search(r"\((RPATH|RUNPATH)\)", run("readelf", "-d", file)):
            problem(f"{deb.name}: {file.name} has a run path")
        if ".symtab" in run("readelf", "-S", "-W", file):
            problem(f"{deb.name}: {file.name} is not stripped")


def debian(folder):
    pack("DEB", folder)
    debs = {field(deb, "Package"): deb for deb in folder.glob("*.deb")}
    wanted = lists()
    here = {"libscout-media": (BUILD / "lib/scout/libscout-media.so").exists(), "libscout-video": (BUILD / "lib/scout/libscout-video.so").exists(),
            "libscout-onednn": (BUILD / "lib/scout/libscout-onednn.so").exists(),
            "python3-scout": (BUILD / "python/scout/_native.abi3.so").exists(), "libscout-java": (BUILD / "java/package").exists(),
            "libscout-jni": (BUILD / "java/package").exists(), "libscout0.1-cil": (BUILD / "csharp/package").exists()}
    for name in sorted(set(debs) | set(wanted)):
        if name not in wanted:
            problem(f"{debs[name].name} is made, of which packages.txt says nothing")
        elif name not in debs:
            if here.get(name, True):
                problem(f"{name} is not made")
            else:
                print(f"-- {name}: not made, its tool chain is not here")
        else:
            look(debs[name], wanted[name])
            root = folder / "roots" / name
            root.mkdir(parents=True)
            run("dpkg-deb", "-x", debs[name], root)
            look_into(debs[name], root)
    needs = {re.split(r"[ (]", need.strip())[0] for need in field(debs["libscout0"], "Depends").split(",")}
    if needs - {"libc6", "libstdc++6", "libgcc-s1"} or "libc6" not in needs:
        problem(f"libscout0 depends on {sorted(needs)}")
    version = field(debs["libscout0"], "Version")
    if f"libscout0 (= {version})" not in field(debs["libscout-dev"], "Depends"):
        problem("libscout-dev does not depend on its own libscout0")
    symbols = run("dpkg-deb", "-I", debs["libscout0"], "symbols")
    functions = run(sys.executable, "-B", SOURCE / "tests/abi/abi.py", "symbols", "--include", SOURCE / "include").split()
    listed = re.findall(r"^ (scout_\w+)@SCOUT_[\d.]+ [\d.]+$", symbols, flags=re.M)
    if sorted(listed) != sorted(functions):
        problem(f"the symbols file lists {len(listed)} functions, the headers declare {len(functions)}")
    print(f"-- symbols: {symbols.splitlines()[0]}, {len(listed)} functions")
    if shutil.which("lintian") is None:
        print("-- lintian: skipped, it is not installed")
        return
    result = subprocess.run(["lintian", "--allow-root", "--tag-display-limit", "0", "--fail-on", "error", *map(str, sorted(debs.values()))],
                            capture_output=True, text=True)
    print(result.stdout + result.stderr, end="")
    if result.returncode != 0:
        problem(f"lintian ends with {result.returncode}")
    print(f"-- lintian: {len(re.findall('^E:', result.stdout, flags=re.M))} errors, {len(re.findall('^W:', result.stdout, flags=re.M))} warnings")


def tarball(folder):
    pack("TGZ", folder)
    archive, = folder.glob("*.tar.gz")
    place = folder / "some where" / "else"
    place.mkdir(parents=True)
    run("tar", "-xzf", archive, "-C", place)
    top, = place.iterdir()
    environment = {"PATH": "/nowhere"}
    answer = run(top / "bin/scout", "run", "scout-tiny", "What is 7 plus 5?", env=environment, cwd="/").strip()
    if answer != "7 + 5 = 12.":
        problem(f"the tarball's scout answers {answer!r}")
    print(f"-- {archive.name}, {archive.stat().st_size} bytes, unpacked elsewhere answers: {answer}")


def main():
    for tool in ("dpkg-deb", "dpkg-shlibdeps", "readelf", "gzip"):
        if shutil.which(tool) is None:
            print(f"skipped: there is no {tool} here")
            return 77
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as folder:
        for kind in (debian, tarball):
            place = pathlib.Path(folder, kind.__name__)
            place.mkdir()
            kind(place)
            if len(sys.argv) > 4:
                for file in [*place.glob("*.deb"), *place.glob("*.tar.gz")]:
                    shutil.copy(file, sys.argv[4])
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
