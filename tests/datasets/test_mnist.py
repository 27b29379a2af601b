"""MNIST from a folder, the environment, the cache and a (local) mirror."""

import gzip
import hashlib
import re
import shutil
import struct
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from fastmlp.datasets import MNIST, mnist
from fastmlp.datasets.mnist import cache_folder

module = import_module("fastmlp.datasets.mnist")  # the package hands out the function by this name
BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "mnist"
NAMES = list(module.SHA256)


def idx(values: np.ndarray) -> bytes:
    code = {"uint8": 8, "int8": 9}[values.dtype.name]
    header = struct.pack(f">HBB{values.ndim}I", 0, code, values.ndim, *values.shape)
    return header + values.tobytes()


def write_small(folder: Path, shade: int = 0, **other: np.ndarray) -> Path:
    """Write a data set of MNIST's form: 3 images of one shade to train on, 2 to test with."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "train_images": np.full((3, 28, 28), shade, np.uint8),
        "train_labels": np.array([0, 9, 4], np.uint8),
        "t10k_images": np.full((2, 28, 28), shade, np.uint8),
        "t10k_labels": np.array([1, 2], np.uint8),
        **other,
    }
    for name, array in zip(NAMES, arrays.values(), strict=True):
        (folder / name).write_bytes(idx(array))
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no FASTMLP_DATA, no mirror."""
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(module, "MIRRORS", ())
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "mnist"


@pytest.fixture(scope="module")
def real(mnist_folder) -> MNIST:
    return mnist(mnist_folder)


@pytest.fixture
def mirror(monkeypatch):
    """A server of the folder `benchmarks/mnist`; yields the paths that were requested."""
    requested = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            requested.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=BENCHMARKS))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(module, "MIRRORS", (f"http://127.0.0.1:{server.server_port}/",))
    yield requested
    server.shutdown()
    server.server_close()
    thread.join()


class TestTheRealThing:
    def test_shapes_and_dtypes(self, real):
        assert [(a.shape, a.dtype) for a in real] == [
            ((60000, 784), np.uint8),
            ((60000,), np.int32),
            ((10000, 784), np.uint8),
            ((10000,), np.int32),
        ]
        assert all(a.flags.c_contiguous for a in real)

    def test_as_many_of_each_class_as_is_known(self, real):
        train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert np.bincount(real.y_train).tolist() == train
        test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        assert np.bincount(real.y_test).tolist() == test

    def test_mean_and_deviation_are_the_well_known_ones(self, real):
        # Over all images: even and odd rows come from different writers and differ by a tenth.
        mean = real.X_train.mean()
        deviation = np.sqrt(np.square(real.X_train, dtype=np.uint16).mean() - mean**2)
        assert (mean / 255, deviation / 255) == pytest.approx((0.1307, 0.3081), abs=5e-5)

    def test_an_image_stands_upright(self, real):
        one = real.X_train[real.y_train == 1].mean(0).reshape(28, 28) > 128
        assert np.ptp(np.nonzero(one)[0]) > np.ptp(np.nonzero(one)[1])

    @pytest.mark.parametrize("name", NAMES)
    def test_file_matches_the_checksum_in_code_and_in_readme(self, name, mnist_folder):
        content = gzip.decompress((mnist_folder / f"{name}.gz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == module.SHA256[name]
        row = rf"\| {name} \| [^|]+ \| {module.SHA256[name]} \|"
        assert re.search(row, (mnist_folder / "README.md").read_text(encoding="utf-8"))

    def test_attribution_and_license_lie_beside_the_files(self):
        notice = (BENCHMARKS / "LICENSE").read_text(encoding="utf-8")
        wanted = ("LeCun", "Cortes", "Burges", "creativecommons.org/licenses/by-sa/3.0/")
        assert all(words in notice for words in wanted)


class TestWhereItLooks:
    def test_given_folder_comes_first(self, tmp_path, cache, monkeypatch):
        write_small(cache, shade=3)
        monkeypatch.setenv("FASTMLP_DATA", str(write_small(tmp_path / "named", shade=2)))
        assert mnist(write_small(tmp_path / "given", shade=1)).X_train[0, 0] == 1

    def test_environment_comes_before_cache(self, tmp_path, cache, monkeypatch):
        write_small(cache, shade=3)
        monkeypatch.setenv("FASTMLP_DATA", str(write_small(tmp_path / "named", shade=2)))
        assert mnist().X_train[0, 0] == 2

    @pytest.mark.parametrize("named", ["", "nowhere"])
    def test_cache_comes_before_mirrors(self, cache, monkeypatch, mirror, named):
        monkeypatch.setenv("FASTMLP_DATA", named)
        write_small(cache, shade=3)
        assert mnist().X_train[0, 0] == 3
        assert not mirror

    def test_home_is_understood(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        write_small(tmp_path / "given")
        assert len(mnist("~/given").X_train) == 3

    def test_plain_and_gzipped_files_may_be_mixed(self, tmp_path):
        write_small(tmp_path)
        plain = tmp_path / NAMES[0]
        Path(f"{plain}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
        assert len(mnist(tmp_path).X_train) == 3

    @pytest.mark.parametrize(
        ("platform", "variables", "expected"),
        [
            ("linux", {"XDG_CACHE_HOME": "{tmp}/xdg"}, "xdg/fastmlp"),
            ("linux", {"XDG_CACHE_HOME": "relative"}, "home/.cache/fastmlp"),
            ("linux", {}, "home/.cache/fastmlp"),
            ("darwin", {"XDG_CACHE_HOME": "{tmp}/xdg"}, "home/Library/Caches/fastmlp"),
            ("win32", {"LOCALAPPDATA": "{tmp}/local"}, "local/fastmlp"),
            ("win32", {}, "home/AppData/Local/fastmlp"),
        ],
    )
    def test_cache_follows_the_platform(self, tmp_path, monkeypatch, platform, variables, expected):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(tmp=tmp_path))
        assert cache_folder() == tmp_path / expected


class TestDownload:
    def test_missing_files_are_downloaded_once(self, cache, mirror, real):
        assert all(map(np.array_equal, mnist(), real))
        assert sorted(p.name for p in cache.iterdir()) == sorted(f"{n}.gz" for n in NAMES)
        assert len(mirror) == 4
        mnist()
        assert len(mirror) == 4

    def test_only_what_the_cache_lacks_is_downloaded(self, cache, mirror, mnist_folder):
        cache.mkdir(parents=True)
        for name in NAMES[:3]:
            shutil.copy(mnist_folder / f"{name}.gz", cache)
        mnist()
        assert mirror == [f"/{NAMES[3]}.gz"]

    def test_failure_names_places_mirrors_and_the_way_out(self, cache, monkeypatch):
        monkeypatch.setattr(module, "MIRRORS", ("http://127.0.0.1:9/",))
        download = import_module("fastmlp.datasets.download")
        quick = partial(download.download, sleep=lambda seconds: None)
        monkeypatch.setattr(download, "download", quick)
        with pytest.raises(FileNotFoundError) as caught:
            mnist()
        message = str(caught.value)
        assert f"{cache} (cache): without {NAMES[0]}" in message
        assert f"http://127.0.0.1:9/{NAMES[0]}.gz: " in message
        assert "data=…" in message and "FASTMLP_DATA" in message

    def test_a_cache_that_cannot_be_written_is_reported_with_the_remedy(self, tmp_path):
        (tmp_path / "cache").write_text("a file where the folder should be")
        with pytest.raises(FileNotFoundError, match="FASTMLP_DATA"):
            mnist()

    def test_nothing_is_downloaded_unless_allowed(self, tmp_path, cache, mirror, monkeypatch):
        monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "nowhere"))
        with pytest.raises(FileNotFoundError) as caught:
            mnist(download=False)
        message = str(caught.value)
        assert f"{tmp_path / 'nowhere'} (FASTMLP_DATA): no such folder" in message
        assert f"{cache} (cache): no such folder" in message
        assert "download=True" in message
        assert not mirror

    def test_a_given_folder_must_hold_the_files_itself(self, tmp_path, cache, mirror):
        write_small(cache)
        (write_small(tmp_path / "given") / NAMES[2]).unlink()
        with pytest.raises(FileNotFoundError) as caught:
            mnist(tmp_path / "given")
        assert f"{tmp_path / 'given'} (data): without {NAMES[2]}.\nCopy" in str(caught.value)
        assert not mirror


class TestChecks:
    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (
                {"train_images": np.zeros((3, 28, 27), np.uint8)},
                r"28 × 28, got uint8 \(3, 28, 27\)",
            ),
            ({"t10k_images": np.zeros((2, 28, 28), np.int8)}, "uint8 images .*, got int8"),
            ({"t10k_images": np.zeros((2, 784), np.uint8)}, "rank 3, the file contains rank 2"),
            ({"t10k_images": np.zeros((0, 28, 28), np.uint8)}, r"got uint8 \(0, 28, 28\)"),
            ({"t10k_labels": np.zeros((2, 1), np.uint8)}, "rank 1, the file contains rank 2"),
            ({"t10k_labels": np.zeros(2, np.int8)}, "uint8 labels 0 to 9, got int8"),
            ({"t10k_labels": np.zeros(3, np.uint8)}, "expected 2 labels, one an image, got 3"),
            ({"train_labels": np.array([0, 10, 1], np.uint8)}, "labels 0 to 9, got uint8 up to 10"),
        ],
    )
    def test_other_shapes_and_labels_are_refused_by_name(self, tmp_path, other, message):
        write_small(tmp_path, **other)
        with pytest.raises(ValueError, match=message) as caught:
            mnist(tmp_path)
        assert str(tmp_path) in str(caught.value)

    def test_a_damaged_file_is_refused_by_name(self, tmp_path):
        write_small(tmp_path)
        (tmp_path / NAMES[0]).write_bytes(b"<html>sign in to the network</html>")
        with pytest.raises(ValueError, match=f"{NAMES[0]}: not an IDX file"):
            mnist(tmp_path)
