"""Builds every kernel module: one per instruction set × element type, from one source each.

`engine.pyx` and `operations.pyx` are translated to C once; for each target a wrapper of a few
lines sets the element type and the vector width, renames the module's init function, and
includes that C file.  fastmlp/kernels/__init__.py chooses among them at import.
"""
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = Path("fastmlp", "kernels")
SOURCES = ("engine", "operations")
ELEMENTS = {"f32": ("float", 0), "f64": ("double", 1)}
HEADERS = [str(path) for path in sorted(KERNELS.glob("*.[hp]*"))
           if path.suffix in {".h", ".pxd", ".pxi"}]

MSVC = sys.platform == "win32" and "clang" not in os.environ.get("CC", "")
MACHINE = os.environ.get("FASTMLP_BUILD_MACHINE", platform.machine()).lower()

# instruction set: (bytes of a vector, compiler flags)
if MSVC:
    TARGETS = {"baseline": (0, [])}
elif MACHINE in {"x86_64", "amd64"}:
    TARGETS = {
        "baseline": (16, []),
        "v3": (32, ["-march=x86-64-v3"]),
        "v4": (64, ["-march=x86-64-v4", "-mprefer-vector-width=512"]),
    }
elif MACHINE in {"aarch64", "arm64"}:
    TARGETS = {"baseline": (16, [])}
else:
    TARGETS = {"baseline": (0, [])}

# -ffp-contract=off: products are fused where the source says so and nowhere else
COMPILE = ["/O2"] if MSVC else ["-O3", "-g0", "-ffp-contract=off", "-fno-math-errno",
                                "-fno-trapping-math", "-Wno-unused-function"]


def openmp_flags() -> tuple[list[str], list[str]]:
    """Compile and link flags with which this compiler builds OpenMP; empty where it cannot."""
    if MSVC:
        return [], []  # the barrier needs C11 atomics
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    for flags, link in ((["-fopenmp"], ["-fopenmp"]),
                        (["-Xpreprocessor", "-fopenmp"], ["-lomp"])):
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder, "probe.c")
            probe.write_text("#include <omp.h>\nint main(void) { return omp_in_parallel(); }\n")
            command = [*compiler, *flags, str(probe), *link, "-o", str(probe.with_suffix(""))]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return flags, link
    print("fastmlp: this compiler has no OpenMP; the kernels will run on one thread")
    return [], []


def smaller(source: str, isa: str) -> list[str]:
    """Flags for what need not be fastest: the kernels alone on arrays, and old processors' builds.

    A fifth of the size less, or half.  GCC needs -fpeel-loops to keep a tile's sums in registers.
    """
    if sys.platform != "linux" or len(TARGETS) == 1:
        return []
    if source == "operations" and isa == "baseline":
        return ["-Os"]
    return ["-O2", "-fpeel-loops"] if source == "operations" or isa == "baseline" else []


def wrapper(source: str, isa: str, element: str, folder: Path) -> str:
    """The C file of one target."""
    c_type, is_double = ELEMENTS[element]
    name = f"_{source}_{isa}_{element}"
    path = folder / f"{name}.c"
    text = (f"#define REAL {c_type}\n#define REAL_IS_DOUBLE {is_double}\n"
            f"#define VECTOR_BYTES {TARGETS[isa][0]}\n"
            f"#define PyInit_{source} PyInit_{name}\n"
            f'#include "{source}.c"\n')
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return str(path)


def extensions() -> list[Extension]:
    folder = Path("build", "kernels")
    folder.mkdir(parents=True, exist_ok=True)
    modules = [Extension(f"fastmlp.kernels.{source}", [str(KERNELS / f"{source}.pyx")])
               for source in (*SOURCES, "cpu")]
    translated = cythonize(modules, language_level=3, compiler_directives={
        "boundscheck": False, "wraparound": False, "cdivision": True,
        "initializedcheck": False, "embedsignature": True, "freethreading_compatible": True})
    c_files = {Path(e.sources[0]).stem: Path(e.sources[0]) for e in translated}
    openmp, openmp_link = openmp_flags()
    cpu = Extension("fastmlp.kernels.cpu", [str(c_files["cpu"])], include_dirs=[str(KERNELS)],
                    extra_compile_args=[*COMPILE, *openmp], extra_link_args=openmp_link)
    return [cpu] + [
        Extension(
            f"fastmlp.kernels._{source}_{isa}_{element}",
            [wrapper(source, isa, element, folder)],
            include_dirs=[str(KERNELS)],
            depends=[str(c_files[source]), *HEADERS],
            extra_compile_args=[*COMPILE, *smaller(source, isa), *flags, *openmp],
            extra_link_args=openmp_link if MSVC else [*openmp_link, "-s"]
            if sys.platform == "linux" else openmp_link,
        )
        for isa, (_, flags) in TARGETS.items() for element in ELEMENTS for source in SOURCES
    ]


class ParallelBuild(build_ext):
    """All cores, one module each."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count() or 1


setup(ext_modules=extensions(), cmdclass={"build_ext": ParallelBuild})
