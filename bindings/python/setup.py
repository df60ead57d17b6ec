"""Builds the native module and puts libscout and the bundled model into the wheel beside it.

libscout comes from the CMake build folder that SCOUT_BUILD names, or is built here (cmake and a C++20 compiler are needed, see
examples/packages.sh). Everything else about the package is in pyproject.toml."""
import os
import pathlib
import shutil
import subprocess

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]


def built_library(temp):
    """The libscout.so to carry."""
    build = os.environ.get("SCOUT_BUILD")
    if not build:
        build = os.path.join(temp, "libscout")
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        subprocess.check_call(["cmake", "-S", str(TOP), "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DSCOUT_BUILD_TESTS=OFF",
                               "-DSCOUT_BUILD_EXAMPLES=OFF", *generator])
        subprocess.check_call(["cmake", "--build", build, "--target", "scout", "--parallel", str(os.cpu_count() or 1)])
    library = pathlib.Path(build).resolve() / "lib" / "libscout.so.0"
    if not library.exists():
        raise SystemExit("%s is not there: SCOUT_BUILD must name a CMake build folder of libscout" % library)
    return library


class BuildNative(build_ext):
    """The extension, and what lies beside it: lib/libscout.so.0, lib/scout (plug-ins), share/scout/models."""

    def build_extension(self, ext):
        library = built_library(self.build_temp)
        package = pathlib.Path(self.get_ext_fullpath(ext.name)).resolve().parent
        (package / "lib").mkdir(parents=True, exist_ok=True)
        shutil.copy(library, package / "lib" / "libscout.so.0")
        for plugin in (library.parent / "scout").glob("libscout-*.so"):
            (package / "lib" / "scout").mkdir(exist_ok=True)
            shutil.copy(plugin, package / "lib" / "scout")
        models = package / "share" / "scout" / "models"
        models.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / "examples" / "models" / "scout-tiny.gguf", models)
        ext.extra_link_args = [str(library), "-Wl,-rpath,$ORIGIN/lib"]
        super().build_extension(ext)


setup(
    ext_modules=[Extension(
        "scout._native", ["native/native.c"], include_dirs=[str(TOP / "include"), str(TOP / "bindings" / "swig")],
        define_macros=[("Py_LIMITED_API", "0x03090000")], py_limited_api=True, extra_compile_args=["-w"],
        depends=[str(TOP / "bindings" / "swig" / "owned.h")])],
    cmdclass={"build_ext": BuildNative},
    options={"bdist_wheel": {"py_limited_api": "cp39"}},
)
