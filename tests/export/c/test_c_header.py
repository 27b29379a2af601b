"""Exported C in several files: a header for C and C++, and the constants in a file of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp import MLP
from fastmlp.export import quantize, to_c
from fastmlp.model.digest import model_digest

Array = NDArray[Any]

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-pedantic", "-Werror", "-Wshadow", "-Wconversion"]
COMPILERS = [
    *[(name, standard) for name in ("gcc", "clang") for standard in ("c99", "c11")],
    ("g++", "c++17"),
    ("clang++", "c++17"),
]
FORMS: dict[str, dict[str, Any]] = {
    "float": {"dtype": "float32"},
    "double": {"dtype": "float64"},
    "8 bits": {"quantized": True},
    "integers": {"quantized": True, "integer_only": True},
}
TYPES = {"float": "float", "double": "double", "8 bits": "float", "integers": "int8_t"}
MAIN = """\
#include "net.h"
#include <stdio.h>
int main(void)
{{
    const {real} x[net_N_IN] = {{1, -1, 2}};
    {real} h[net_N_OUT];
    int j;

    net_forward(x, h);
    printf("%s %s\\n", net_DIGEST, net_classes[net_predict(x)]);
    for (j = 0; j < net_N_OUT; j++)
        printf("%.17g\\n", (double)h[j]);
    return 0;
}}
"""


@pytest.fixture(scope="module")
def net() -> MLP:
    """A network with classes, whose file has tables, constants and several functions."""
    rng = np.random.default_rng(2024)
    net = MLP((3, 5, 4, 2), activation=["tanh", "relu"], seed=4)
    net.set_parameters(net.weights, [rng.normal(size=n) for n in (5, 4, 2)])
    net.metadata = {"classes": ["no", "yes"]}
    return net


def calibrated(options: dict[str, Any]) -> dict[str, Any]:
    rows = np.random.default_rng(1).normal(size=(50, 3))
    return options | ({"calibration": rows} if options.get("quantized") else {})


def installed(compiler: str) -> str:
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed: nothing was compiled by it")
    return compiler


@pytest.fixture(scope="module")
def library(net: MLP, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Path]:
    """Make the folder of a network's header and object file, by gcc as C99, once for each form."""

    @cache
    def library(form: str, weights_file: bool) -> Path:
        folder = tmp_path_factory.mktemp("library")
        options = calibrated(FORMS[form])
        to_c(net, folder / "net.c", header=True, weights_file=weights_file, **options)
        subprocess.run(["gcc", "-std=c99", *STRICT, "-c", "net.c"], cwd=folder, check=True)
        return folder

    return library


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("compiler", "standard", "weights_file"),
    # the program includes the header alone, which is the same with the constants in another file
    [*((*one, False) for one in COMPILERS), (*COMPILERS[0], True), (*COMPILERS[-2], True)],
)
def test_c_and_cpp_programs_include_the_header(
    net: MLP, library: Callable[[str, bool], Path], tmp_path: Path, compiler: str, standard: str,
    form: str, weights_file: bool,
) -> None:  # fmt: skip
    installed(compiler)
    installed("gcc")
    folder = library(form, weights_file)
    options = calibrated(FORMS[form])
    (tmp_path / "main.c").write_text(MAIN.format(real=TYPES[form]))
    language = ["-x", "c++"] if "++" in compiler else []
    build = [compiler, *language, f"-std={standard}", *STRICT, "-Dnet_FLOAT", f"-I{folder}"]
    subprocess.run([*build, "-c", "main.c"], cwd=tmp_path, check=True)
    # the program's language does not matter: the functions have the names of C
    link = [compiler, "main.o", folder / "net.o", "-lm", "-o", "program"]
    subprocess.run(link, cwd=tmp_path, check=True)
    x = np.array([[1, -1, 2]])
    first, *rest = subprocess.check_output([tmp_path / "program"], text=True).splitlines()
    h = np.array(rest, float)
    if form == "integers":
        twin = quantize(net, options["calibration"], integer_only=True)
        # the bytes of x are what the program was given, so they are undone here
        q = np.array([[1, -1, 2]], np.int64) + 128
        step = (q.astype(np.float32) / twin.input_scaling.inverse) + twin.input_scaling.offset
        if not twin.input_scaling.inverse.ndim:
            step = (q + twin.roundings[0].low).astype(np.float32) / twin.input_scaling.inverse
        np.testing.assert_array_equal(twin.input_bytes(step), x)
        np.testing.assert_array_equal(h, twin.output_bytes(step)[0])
        label = twin.predict(step)[0]
    else:
        twin = quantize(net, options["calibration"]) if form == "8 bits" else net
        np.testing.assert_allclose(h, twin.forward(x)[0], rtol=1e-5)
        label = twin.predict(x)[0]
    assert first == f"{model_digest(net.state)} {['no', 'yes'][label]}"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("compiler", "standard"), COMPILERS)
def test_every_file_compiles_as_c_and_as_cpp(
    net: MLP, tmp_path: Path, compiler: str, standard: str, form: str
) -> None:
    installed(compiler)
    language = ["-x", "c++"] if "++" in compiler else []
    for i, header in enumerate((False, True)):
        path = tmp_path / f"net{i}.c"
        to_c(net, path, header=header, weights_file=header, **calibrated(FORMS[form]))
        command = [compiler, *language, f"-std={standard}", *STRICT, "-fsyntax-only"]
        subprocess.run([*command, path], check=True)


def test_a_model_of_a_table_has_a_header(tmp_path: Path, rng: np.random.Generator) -> None:
    pytest.importorskip("sklearn")
    pd = pytest.importorskip("pandas")
    tabular = pytest.importorskip("fastmlp.tabular")
    from fastmlp.tabular.digest import table_digest

    installed("g++")
    table = pd.DataFrame({"a": rng.normal(size=60), "b": rng.choice(["u", "v"], 60)})
    y = np.where(table["a"] > 0, "yes", "no")
    model = tabular.TabularClassifier("log_loss", "fast", epochs=2, random_state=0).fit(table, y)
    to_c(model, tmp_path / "net.c", header=True, weights_file=True)
    text = (tmp_path / "net.h").read_text()
    # the comment has an example for this model, which is compiled as it stands
    example = re.search(r"^ \*     #include <stdio.h>\n.*?^ \*     }$", text, re.M | re.S)[0]
    example = re.sub(r"^ \* {0,5}", "", example, flags=re.M)
    example = example.replace("int main", 'static const char d[] = net_DIGEST;\nint main')
    example = example.replace("    return 0", "    puts(d);\n    return 0")
    (tmp_path / "main.cpp").write_text(example)
    commands = [
        ["gcc", "-std=c99", *STRICT, "-c", "net.c"],
        ["g++", "-std=c++17", *STRICT, "-c", "main.cpp"],
        ["g++", "main.o", "net.o", "-lm", "-o", "program"],
    ]
    for command in commands:
        subprocess.run(command, cwd=tmp_path, check=True)
    said = subprocess.check_output([tmp_path / "program"], text=True)
    row = pd.DataFrame({"a": [model.encoder_.numbers[0].median], "b": ["u"]})
    p = model.predict_proba(row)[0]
    label, _, _, number, digest = said.split()
    assert label == model.predict(row)[0]
    assert float(number) == pytest.approx(p.max(), rel=1e-5)
    assert digest == table_digest(model)


def test_the_files_have_the_text_of_the_one_file(net: MLP, tmp_path: Path) -> None:
    for folder in ("one", "three"):
        (tmp_path / folder).mkdir()
    to_c(net, tmp_path / "one" / "net.c")
    to_c(net, tmp_path / "three" / "net.c", header=True, weights_file=True)
    assert [one.name for one in (tmp_path / "one").iterdir()] == ["net.c"]
    texts = {one.name: one.read_text() for one in (tmp_path / "three").iterdir()}
    assert texts.keys() == {"net.c", "net.h", "net_weights.h"}
    lines = {name: set(text.splitlines()) for name, text in texts.items()}
    one = set((tmp_path / "one" / "net.c").read_text().splitlines())
    code = {line for line in one if not line.startswith((" *", "/* net: "))}
    assert code <= set().union(*lines.values())
    assert "static const net_FLASH float net_W1[15] = {" in lines["net_weights.h"]
    assert "static const net_FLASH float net_W1[15] = {" not in lines["net.c"]
    assert "#define net_N_IN 3" in lines["net.h"] - lines["net.c"]


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        ("net.h", {"header": True}, "the C file would have the name of its header"),
        ('a"b.c', {"header": True}, "C cannot include a file of the name 'a\"b.h'"),
        ("a\\b.c", {"weights_file": True}, "C cannot include a file of the name"),
        ("a\nb.c", {"weights_file": True}, "C cannot include a file of the name"),
        ("net.c", {"header": 1}, "header must be True or False"),
        ("net.c", {"weights_file": "w.h"}, "weights_file must be True or False"),
    ],
)
def test_files_that_cannot_be_included_are_refused(
    net: MLP, tmp_path: Path, file: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        to_c(net, tmp_path / file, **options)
    assert list(tmp_path.iterdir()) == []
