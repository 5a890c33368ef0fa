"""Build of the one extension: Cython blocks and threads over C row loops, compiled once per instruction-set level.

Asked of the machine: which levels it can compile (x86-64: three; elsewhere the baseline), and whether the compiler
links OpenMP. Without OpenMP the build goes on and the library runs serial; `numpool.show_config()` says so.
NUMPOOL_OPENMP=0 leaves OpenMP out, NUMPOOL_WERROR=1 makes every warning an error.
"""

import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = Path("kernels")
X86 = platform.machine().lower() in ("x86_64", "amd64")
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
# -g0 and -s: Python's own flags ask for debug information, eight to ten times the code here.
# No tautological compare: templates ask `x != x` of every dtype, and clang warns where that is an integer.
FLAGS = ["-O3", "-g0", "-fwrapv", "-ffp-contract=off", "-fno-math-errno"]
WARNINGS = ["-Wall", "-Wextra", "-Wno-tautological-compare"]
BASELINE_FLAGS = ["-O2"] if X86 else []  # few x86 processors need it: code that compiles sooner
PIECES = ["AVERAGES", "EXTREMA", "INDICES"]  # of a level, see level.h; those that take longest first
LINK_FLAGS = ["-Wl,-s"] if sys.platform == "linux" else []


def has_openmp(compiler: list[str]) -> bool:
    """Whether a shared object (an executable fails to link under sanitizers) builds with OpenMP and POSIX threads."""
    if os.environ.get("NUMPOOL_OPENMP") == "0":
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text("#include <omp.h>\n#include <pthread.h>\nint probe(void) { return omp_get_max_threads(); }\n")
        command = [*compiler, "-fopenmp", "-fPIC", "-shared", str(source), "-o", str(Path(folder, "probe.so"))]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Build(build_ext):
    """Adds what only the chosen compiler can tell, and compiles the levels side by side."""

    def build_extensions(self):
        # A compiler without this list is not of the two that job.h accepts.
        if hasattr(self.compiler, "compiler_so") and has_openmp(self.compiler.compiler_so[:1]):
            for extension in self.extensions:
                extension.extra_compile_args.append("-fopenmp")
                extension.extra_link_args.append("-fopenmp")
        one_by_one = self.compiler.compile

        def together(sources, output_dir=None, macros=None, extra_postargs=None, **options):
            def work(source, piece):
                piece_macros = [*(macros or []), *([("NUMPOOL_ONLY", f"NUMPOOL_{piece}")] if piece else [])]
                flags = [*(extra_postargs or []), *(BASELINE_FLAGS if "level_baseline" in source else [])]
                return one_by_one([source], f"{output_dir}/{piece}", piece_macros, extra_postargs=flags, **options)

            # A level is three objects, so that no processor waits long for another.
            levels = [source for source in reversed(sources) if "level_" in source]
            works = [(source, piece) for piece in PIECES for source in levels]
            works += [(source, "") for source in sources if source not in levels]
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                return [name for names in pool.map(lambda both: work(*both), works) for name in names]

        self.compiler.compile = together
        super().build_extensions()


levels = ["baseline", "v3", "v4"] if X86 else ["baseline"]
macros = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_1_25_API_VERSION")]
if X86:
    macros.append(("NUMPOOL_X86", "1"))
if not FREE_THREADED:
    macros.append(("Py_LIMITED_API", "0x030B0000"))
extension = Extension(
    "numpool._kernels",
    sources=[str(KERNELS / "_kernels.pyx"), *(str(KERNELS / f"level_{level}.c") for level in levels)],
    depends=[str(path) for ending in ("*.h", "*.pxi") for path in KERNELS.glob(ending)],
    include_dirs=[str(KERNELS), numpy.get_include()],
    define_macros=macros,
    extra_link_args=LINK_FLAGS,
    extra_compile_args=FLAGS + WARNINGS + (["-Werror"] if os.environ.get("NUMPOOL_WERROR") == "1" else []),
    py_limited_api=not FREE_THREADED,
)
setup(
    ext_modules=cythonize(
        [extension],
        build_dir="build",
        compiler_directives={"language_level": 3, "freethreading_compatible": FREE_THREADED},
    ),
    cmdclass={"build_ext": Build},
    options={} if FREE_THREADED else {"bdist_wheel": {"py_limited_api": f"cp{sys.version_info[0]}11"}},
)
