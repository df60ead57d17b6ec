#!/usr/bin/env python3
"""Many threads on one model in every language, under what finds mistakes there: races, pointers that must not pass, collections at every
allocation, freed memory.

  run.py BUILD_DIR                    the short form of what takes seconds: what ctest -L stress runs
  run.py BUILD_DIR NAME...            of these only: csharp, go, go-cgocheck2, go-race, java, python, python-asan, python-valgrind, rust, rust-asan
  run.py BUILD_DIR --long [NAME...]   everything, with 64 threads; some minutes

BUILD_DIR is built, with the Java package. python-asan uses the library of --asan BUILD_DIR, built with SCOUT_SANITIZE=address,undefined; without
that the native module alone is instrumented, and the library's allocations are watched. What has no tool chain is left out, saying so; each
run prints threads, loops, growth and failures.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import time

HERE = pathlib.Path(__file__).resolve().parent
BINDINGS = HERE.parent
ROOT = BINDINGS.parent
SHORT = ("csharp", "go", "java", "python", "rust")
ALL = SHORT + ("go-race", "go-cgocheck2", "python-asan", "python-valgrind", "rust-asan")
FOUND = ("DATA RACE", "WARNING in native method", "FATAL ERROR", "AddressSanitizer", "runtime error:", "cgo argument has Go pointer")


class Missing(Exception):
    """What a run needs and this machine or build has not."""


def need(*whats):
    for what in whats:
        if not (shutil.which(what) if isinstance(what, str) else what.exists()):
            raise Missing(f"there is no {what}")


class Runs:
    def __init__(self, build, asan, long):
        self.build, self.asan, self.long = build, asan, long
        self.folder = build / "stress"
        self.folder.mkdir(exist_ok=True)

    def environment(self, **more):
        build = self.build
        env = dict(os.environ, SCOUT_MODELS=str(ROOT / "examples/models"), LD_LIBRARY_PATH=str(build / "lib"), PYTHONPATH=str(build / "python"),
                   PYTHONDONTWRITEBYTECODE="1", SCOUT_LIB_DIR=str(build / "lib"), CARGO_TARGET_DIR=str(build / "cargo"), GOTOOLCHAIN="local",
                   GOPROXY="off", GOFLAGS="-mod=mod", GOCACHE=str(build / "go-cache"), PKG_CONFIG_PATH=str(build / "bindings/go"))
        env.update({name: str(value) for name, value in more.items()})
        return env

    def size(self, long, short="8 24"):
        return long if self.long else short

    def call(self, command, env, cwd=None):
        done = subprocess.run([str(word) for word in command], env=env, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        bad = [word for word in FOUND if word in done.stdout]
        if done.returncode or bad:
            raise AssertionError(f"exit code {done.returncode}, {', '.join(bad) or 'nothing'} reported\n{done.stdout[-6000:]}")
        lines = [line for line in done.stdout.splitlines() if " threads, " in line]
        if not lines or not lines[-1].endswith(" 0 failed"):
            raise AssertionError(f"no result\n{done.stdout[-6000:]}")
        return lines[-1]

    def csharp(self):
        program, mono = self.build / "csharp/Stress.exe", os.environ.get("MONO", "mono")
        need(mono, program)
        return self.call([mono, "--debug", program, *self.size("64 120").split()], self.environment())

    def go_test(self, name, flags, size, **more):
        need("go", self.build / "bindings/go/scout.pc")
        program = self.folder / f"{name}.test"
        env = self.environment(SCOUT_STRESS=size, **more)
        subprocess.run(["go", "test", "-c", "-vet=off", *flags, "-o", str(program), "."], check=True, env=env, cwd=BINDINGS / "go")
        return self.call([program, "-test.run", "TestStress", "-test.timeout", "1h"], env, BINDINGS / "go")

    def go(self):
        return self.go_test("go", [], self.size("64 120"), GOGC=1, GODEBUG="cgocheck=1")

    def go_cgocheck2(self):
        return self.go_test("go-cgocheck2", [], self.size("64 60"), GOGC=1, GOEXPERIMENT="cgocheck2")

    def go_race(self):
        return self.go_test("go-race", ["-race"], self.size("64 60"), GOGC=10, SCOUT_STRESS_SANITIZED=1)

    def java(self):
        jar, tests = self.build / "java/scout.jar", self.build / "java/tests"
        need("java", jar, tests / "Stress.class")
        return self.call(["java", "-Xcheck:jni", "-XX:+UseSerialGC", "-Xms64m", "-Xmx64m", "-cp", f"{jar}:{tests}", "Stress",
                          *self.size("64 120").split()], self.environment())

    def python(self):
        need(self.build / "python/scout/_native.abi3.so")
        return self.call([sys.executable, "-X", "faulthandler", HERE / "stress.py", *self.size("64 240").split(), 1], self.environment())

    def python_valgrind(self):
        need("valgrind", self.build / "python/scout/_native.abi3.so")
        # An interpreter's own allocator reads what it has not written; only errors with the library on the stack count.
        log, known = self.folder / "valgrind.log", self.folder / "valgrind.supp"
        # The loader compares the words of a run path eight bytes at a time, also past its end: when a picture opens the plug-in.
        known.write_text("{\n  the loader reads a run path\n  Memcheck:Addr8\n  fun:strncmp\n  fun:is_dst\n  ...\n}\n")
        line = self.call(["valgrind", "--quiet", f"--log-file={log}", f"--suppressions={known}", "--undef-value-errors=no", sys.executable, HERE / "stress.py",
                          *self.size("4 24", "2 12").split(), 50], self.environment(PYTHONMALLOC="malloc"))
        errors = [text for text in log.read_text(errors="replace").split("\n\n") if "Invalid" in text or "Mismatched" in text]
        if errors:
            raise AssertionError("\n".join(errors[:3]))
        return line

    def python_asan(self):
        library = (self.asan or self.build) / "lib"
        need(library / "libscout.so.0", "cc")
        package = self.folder / "python-asan/scout"
        shutil.rmtree(package, ignore_errors=True)
        shutil.copytree(BINDINGS / "python/src/scout", package)
        subprocess.run(["cc", "-shared", "-fPIC", "-g", "-O1", "-fsanitize=address,undefined", "-w", "-DPy_LIMITED_API=0x03090000",
                        f"-I{sysconfig.get_path('include')}", f"-I{ROOT}/include", f"-I{BINDINGS}/swig", str(BINDINGS / "python/native/native.c"),
                        f"-L{library}", "-lscout", "-o", str(package / "_native.abi3.so")], check=True)
        preload = [subprocess.run(["cc", f"-print-file-name={name}"], check=True, text=True, capture_output=True).stdout.strip()
                   for name in ("libasan.so", "libubsan.so", "libstdc++.so.6")]
        env = self.environment(LD_PRELOAD=" ".join(preload), LD_LIBRARY_PATH=library, PYTHONPATH=package.parent, PYTHONMALLOC="malloc",
                               ASAN_OPTIONS="detect_leaks=0:quarantine_size_mb=16", UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
                               SCOUT_STRESS_SANITIZED=1)
        return self.call([sys.executable, HERE / "stress.py", *self.size("64 60").split(), 1], env)

    def rust_test(self, size, flags=(), **more):
        need("cargo")
        env = self.environment(SCOUT_STRESS=size, **more)
        return self.call(["cargo", "test", "--offline", "--locked", "--quiet", "-p", "scout", "--test", "stress", *flags, "--", "--nocapture"], env,
                         BINDINGS / "rust")

    def rust(self):
        return self.rust_test(self.size("64 480"))

    def rust_asan(self):
        # Address sanitizer is of the compiler's unfinished features, so this may stop working with another one. The library is a plain
        # build: two compilers' sanitizers do not share a process. Its allocations are watched all the same.
        return self.rust_test(self.size("64 240"), ["--target", "x86_64-unknown-linux-gnu"], RUSTC_BOOTSTRAP=1, RUSTFLAGS="-Zsanitizer=address",
                              CARGO_TARGET_DIR=self.folder / "cargo-asan", ASAN_OPTIONS="detect_leaks=1")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--asan", type=pathlib.Path)
    given = parser.parse_intermixed_args()
    unknown = sorted(set(given.names) - set(ALL))
    if unknown:
        sys.exit(f"there is no {', '.join(unknown)}: {', '.join(ALL)}")
    runs = Runs(given.build.resolve(), given.asan and given.asan.resolve(), given.long)
    failed = 0
    for name in given.names or (ALL if given.long else SHORT):
        start = time.monotonic()
        try:
            what = getattr(runs, name.replace("-", "_"))()
        except Missing as missing:
            what = f"skipped: {missing}"
        except (AssertionError, subprocess.CalledProcessError) as error:
            what = f"FAILED: {error}"
            failed += 1
        print(f"{name}: {what} ({time.monotonic() - start:.0f} s)", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
