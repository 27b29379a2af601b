"""Reading model files within a budget: what is not expected is refused before it is read."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Ensemble
from fastmlp.model import headers, npz

FLOAT32 = np.dtype(np.float32)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "net.npz"
    MLP((8, 4, 3)).save(path)
    return path


def member(shape: tuple[int, ...], dtype: str = "<f4", content: bytes = b"") -> bytes:
    """An .npy member whose header announces a shape, whatever its content is."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return file.getvalue() + content


def rewritten(path, changes: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED):
    """Replace members of a file, or leave them out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= changes
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)


def with_header(path, **changes: object) -> None:
    """Change entries of a file's header, without its digest."""
    with np.load(path) as contents:
        header = json.loads(str(contents["header"]))
    header.pop("digest")
    file = io.BytesIO()
    np.save(file, np.array(json.dumps(header | changes)))
    rewritten(path, {"header.npy": file.getvalue()})


def peak_of(action) -> int:
    """The most bytes that Python objects took during an action."""
    tracemalloc.start()
    try:
        action()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bomb.npy": member((2**40,))}, "entries that no network of its description has: bomb"),
        ({"weight_1.npy": member((2**40,))}, "'weight_1' is float32 of shape"),
        ({"weight_1.npy": member((4, 8), "<f8", bytes(256))}, "'weight_1' is float64"),
        ({"weight_1.npy": member((4, 8))}, ""),
        ({"weight_1.npy": member((4, 8), content=bytes(129))}, "takes .* bytes, but has"),
        ({"weight_1.npy": None}, "weight_1 is missing"),
        ({"header.npy": None}, "it has no header"),
        ({"header.npy": member((2**40,), "<U1")}, ""),
        ({"header.npy": member((), "<U2", "[]".encode("utf-32-le"))}, "is not an object of JSON"),
        ({"weight_1.npy": b""}, ""),
        ({"weight_1.npy": b"\x93NUMPY\x09\x00"}, ""),
        ({"weight_1.npy": b"\x93NUMPY\x01\x00\x08\x00{'a':([1"}, "a header that is not NumPy's"),
        ({"weight_1.npy": member((4, 8), ",f4")}, "a header that is not NumPy's"),
    ],
)
def test_a_member_that_is_not_as_described_is_refused_unread(path, changes, message):
    rewritten(path, changes)

    def load() -> None:
        with pytest.raises(ValueError, match=f"is not a whole fastmlp model file: .*{message}"):
            fastmlp.load(path)

    assert peak_of(load) < 8 << 20


def test_a_directory_that_points_outside_the_members_is_refused(path):
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")  # of the first member; its place is 42 bytes on
    struct.pack_into("<I", content, entry + 42, len(content))
    path.write_bytes(content)
    with pytest.raises(ValueError, match="its directory points outside it"):
        fastmlp.load(path)


def test_an_encrypted_file_is_refused(path, encrypted):
    path.write_bytes(encrypted(path.read_bytes()))
    with pytest.raises(ValueError, match=r"'header.npy' is encrypted; store it without a password"):
        fastmlp.load(path)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("key", ["activation", "loss", "dtype", "sizes"])
def test_a_header_with_numbers_that_are_no_characters_is_refused(path, key, order):
    """NumPy's text holds any number of 32 bits, and messages about such a text fail."""
    with np.load(path) as file:
        text = json.dumps({**json.loads(file["header"].item()), key: ["?"]})
    codes = np.frombuffer(text.encode("utf-32-le"), "<u4").astype(f"{order}u4")
    codes[text.index("?")] = 0x110000
    rewritten(path, {"header.npy": member((), f"{order}U{len(text)}", codes.tobytes())})
    with pytest.raises(ValueError, match="is not a whole fastmlp model file: .*no character"):
        fastmlp.load(path)


def test_an_array_that_was_inflated_beyond_measure_is_refused(path):
    shape = (2**21, 16)  # 128 MiB of zeros, in a file of 128 KiB
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x.npy", "w") as one:
            one.write(member(shape))
            for _ in range(128):
                one.write(bytes(2**20))
        archive.writestr("header.npy", _saved(np.array(json.dumps({"a": 1}))))

    def read() -> None:
        refused = pytest.raises(ValueError, match="'x' is compressed more than 200 times")
        with path.open("rb") as content, refused:
            npz.read(content, lambda header: {"x": (shape, FLOAT32)})

    assert peak_of(read) < 8 << 20


def _saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": [8, 2**40, 3]}, {"sizes": "8"}, {"sizes": None}, {"sizes": [8]},
        {"format": "2"}, {"format": None}, {"format": -1}, {"networks": []}, {"networks": {}},
        {"dtype": "float16"}, {"dtype": "O"}, {"seed": -1}, {"epochs": -1}, {"epochs": "many"},
        {"loss": {"name": "none"}}, {"loss": []}, {"loss": {"name": "huber", "code": "import os"}},
        {"activation": []}, {"activation": [{"name": "relu", "slope": 1}]}, {"metadata": None},
        {"metadata": [1]}, {"frozen": [7]}, {"frozen": 1}, {"batch_norm": [1, 2, 3]},
        {"optimizer": []}, {"optimizer": {"name": "adam", "slots": 2**40}},
        {"optimizer": {"name": "adam", "constants": [2, 2, 2], "slots": 0, "steps": 0}},
        {"optimizer": {"name": "none", "constants": [], "slots": 0, "steps": 0}},
        {"average": {"steps": -1, "used": True}}, {"average": [1]}, {"uint8_scale": 0},
    ],
    ids=str,
)
def test_a_header_that_describes_no_network_is_a_value_error(path, changes):
    with_header(path, **changes)
    with pytest.raises(ValueError, match="is not a whole fastmlp model file"):
        fastmlp.load(path)


def test_a_change_that_the_archive_does_not_see_is_found_by_the_digest(path):
    with np.load(path) as contents:
        arrays = {name: contents[name] for name in contents.files}
    arrays["bias_1"][0] = 7
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="do not have the digest"):
        fastmlp.load(path)


def test_a_file_without_digest_is_read_as_before(path):
    with_header(path)
    assert fastmlp.load(path).n_in == 8


def test_too_little_memory_is_no_damage(path, monkeypatch):
    def exhausted(*arguments: object, **options: object) -> None:
        raise MemoryError("Unable to allocate")

    monkeypatch.setattr(np.lib.format, "read_array", exhausted)
    with pytest.raises(MemoryError):
        fastmlp.load(path)


def test_a_header_that_python_has_no_memory_to_parse_is_a_memory_error(path, monkeypatch):
    """Of which Python's compiler tells by a SystemError."""

    def parse(member, max_header_size):
        raise SystemError("<built-in function compile> returned NULL without setting an exception")

    monkeypatch.setitem(npz.HEADERS, (1, 0), parse)
    with pytest.raises(MemoryError, match="no memory for the header of 'header'"):
        fastmlp.load(path)


def test_an_error_of_the_program_is_no_damage(path, monkeypatch):
    def mistaken(*arguments: object) -> None:
        raise NameError("name 'pairwise' is not defined")

    monkeypatch.setattr(npz, "digest", mistaken)
    with pytest.raises(NameError):
        fastmlp.load(path)


def test_a_pickle_is_refused_without_advice_to_allow_it(path):
    np.savez(path, header=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="holds pickled objects") as error:
        fastmlp.load(path)
    assert "allow_pickle" not in str(error.value)


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupt_while_saving_stays_one_and_the_old_file_stays(path, monkeypatch, failure):
    before = path.read_bytes()

    def fail(*arguments: object, **options: object) -> None:
        raise failure

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(type(failure)):
        MLP((8, 4, 3), seed=1).save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("metadata", [None, ["a"], 7, "text", {"a": {1, 2}}, {"a": 1j}])
def test_metadata_that_load_would_refuse_is_refused_by_save(path, metadata):
    before = path.read_bytes()
    net = MLP((8, 4, 3))
    net.metadata = metadata
    with pytest.raises(TypeError, match=r"net\.metadata"):
        net.save(path)
    assert path.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
@pytest.mark.parametrize("cls", [MLP, Ensemble])
def test_a_device_without_an_end_is_no_model_file(cls):
    with pytest.raises(ValueError, match="is not a whole fastmlp model file: it is a device"):
        cls.load("/dev/zero")


def test_a_long_header_takes_a_byte_for_each_character(path, monkeypatch):
    """NumPy's text takes four; of many networks it would be most of the file."""
    before = path.stat().st_size
    net = fastmlp.load(path)
    net.metadata["note"] = "é" * 10_000  # six characters each, in JSON
    monkeypatch.setattr(npz, "MOST_TEXT", 50_000)
    net.save(path)
    assert 60_000 < path.stat().st_size < 60_000 + before
    assert fastmlp.load(path).metadata == net.metadata


def test_a_header_that_could_not_be_read_is_not_written(path, monkeypatch):
    before = path.read_bytes()
    net = fastmlp.load(path)
    net.metadata["note"] = "x" * (2 << 20)
    monkeypatch.setattr(npz, "MOST_HEADER", 1 << 20)
    with pytest.raises(ValueError, match="takes 2 MiB, more than the 1 that a file may have"):
        net.save(path)
    assert path.read_bytes() == before


def test_the_longest_header_that_is_written_is_the_longest_that_is_read(path, monkeypatch):
    net = fastmlp.load(path)
    monkeypatch.setattr(npz, "MOST_TEXT", 0)  # a byte for each character
    net.save(path)
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("header.npy").file_size
    monkeypatch.setattr(npz, "MOST_HEADER", size)
    net.save(path)
    assert fastmlp.load(path).sizes == net.sizes
    monkeypatch.setattr(npz, "MOST_HEADER", size - 1)
    with pytest.raises(ValueError, match="more than the 0 that a file may have"):
        net.save(path)
    with pytest.raises(ValueError, match="its header has more than 0 MiB"):
        fastmlp.load(path)


def test_a_member_of_numpys_second_format_is_read(path):
    """Which NumPy writes where a header is longer than 64 KiB."""
    before = fastmlp.load(path)
    file = io.BytesIO()
    np.lib.format.write_array(file, _stored(path, "weight_1"), version=(2, 0))
    rewritten(path, {"weight_1.npy": file.getvalue()})
    np.testing.assert_array_equal(fastmlp.load(path).weights[0], before.weights[0])


def _stored(path, name: str) -> np.ndarray:
    with np.load(path) as contents:
        return contents[name]


@pytest.mark.parametrize(("length", "is_read"), [(10_000, True), (10_001, False)])
def test_a_members_header_has_at_most_10_000_characters(path, length, is_read):
    """Longer ones take NumPy's parser long, and more memory than they are worth."""
    array = _stored(path, "weight_1")
    text = repr({"descr": array.dtype.str, "fortran_order": False, "shape": array.shape})
    content = text.ljust(length - 1).encode() + b"\n" + array.tobytes()
    start = b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little")
    rewritten(path, {"weight_1.npy": start + content})
    if is_read:
        assert fastmlp.load(path).n_in == 8
        return
    with pytest.raises(ValueError, match="is not a whole fastmlp model file"):
        fastmlp.load(path)


def test_a_header_of_more_than_the_limit_is_refused_unread(path, monkeypatch):
    monkeypatch.setattr(npz, "MOST_HEADER", 3 << 20)
    rewritten(path, {"header.npy": bytes((3 << 20) + 1)})
    with pytest.raises(ValueError, match="its header has more than 3 MiB"):
        fastmlp.load(path)


def test_options_that_an_older_file_does_not_have_are_off(path):
    with np.load(path) as contents:
        header = json.loads(str(contents["header"]))
    options = ("dropout", "input_dropout", "noise", "batch_norm")
    older = {key: one for key, one in header.items() if key not in options}
    spec = headers.spec_of(older, None)
    assert (spec.dropout, spec.input_dropout, spec.noise) == ((0.0,), 0.0, (0.0,))
    assert spec.batch_norm == (False,)


def test_the_digest_of_a_header_does_not_depend_on_the_order_of_its_names():
    arrays = {"weight": np.arange(3.0), "bias": np.zeros(2)}
    turned = dict(reversed(arrays.items()))
    assert npz.digest({"a": 1, "b": 2}, arrays) == npz.digest({"b": 2, "a": 1}, turned)
    assert npz.digest({"a": 1, "b": 2}, arrays) != npz.digest({"a": 2, "b": 1}, arrays)
