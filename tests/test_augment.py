"""Distortions against SciPy, their limits and their draws; training on them."""

import math

import numpy as np
import pytest

import fastmlp
from fastmlp import kernels
from fastmlp.augment import Distortion

SIDE = 28
every_isa = pytest.mark.parametrize("isa", kernels.isas())
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
KINDS = {
    "affine": Distortion(rotation=20, scale=0.2, shear=0.2, translation=3),
    "elastic": Distortion(elastic=36, smoothness=5),
    "both": Distortion(rotation=15, scale=0.15, shear=0.1, translation=1, elastic=20, smoothness=4),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


# The generator of random.h in Python's whole numbers.

MASK_64, MASK_32 = 2**64 - 1, 2**32 - 1


def mixed_key(key: int, number: int) -> int:
    x = (key + (number + 1) * 0x9E3779B97F4A7C15) & MASK_64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK_64
    return x ^ (x >> 31)


def signed_uniform(key: int, column: int) -> float:
    x = column ^ (key & MASK_32)
    x = ((x ^ (x >> 16)) * 0x21F0AAAD) & MASK_32
    x ^= key >> 32
    x = ((x ^ (x >> 15)) * 0x735A2D97) & MASK_32
    return (((x ^ (x >> 15)) >> 8) - 8388607.5) / 8388607.5


def by_scipy(kind: Distortion, image: np.ndarray, key: int, gentle: bool = False) -> np.ndarray:
    """One image by scipy.ndimage, from the same draws."""
    ndimage = pytest.importorskip("scipy.ndimage")
    n = len(image)
    u = [signed_uniform(key, i) for i in range(6)]
    theta = math.radians(kind.rotation) * u[0] * (0.5 if gentle else 1)
    turn = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    scales = np.diag([1 + kind.scale * u[2], 1 + kind.scale * u[3]])
    A = turn @ np.array([[1, kind.shear * u[1]], [0, 1]]) @ scales
    y, x = np.mgrid[:n, :n].astype(float)
    middle = (n - 1) / 2
    source = np.einsum("ij,jyx->iyx", A, np.stack([x - middle, y - middle])) + middle
    source += kind.translation * np.array(u[4:6])[:, None, None]
    if kind.elastic:
        for axis in (0, 1):
            own = mixed_key(key, axis + 1)
            noise = np.array([signed_uniform(own, i) for i in range(n * n)]).reshape(n, n)
            source[axis] += kind.elastic * ndimage.gaussian_filter(
                noise, kind.smoothness, mode="constant", radius=math.ceil(3 * kind.smoothness)
            )
    return ndimage.map_coordinates(image, source[::-1], order=1, mode="grid-constant")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Blobs of strokes with zeros around them, one that fills its square."""
    rng = np.random.default_rng(1)
    found = np.zeros((6, SIDE, SIDE))
    for image in found:
        for _ in range(6):
            y, x = rng.integers(3, SIDE - 8, 2)
            image[y : y + 5, x : x + 3] = rng.uniform(0.2, 1)
    found[-1] = rng.uniform(size=(SIDE, SIDE))
    return found


@every_dtype
@every_kind
def test_an_image_is_what_scipy_makes_of_the_same_draws(images, kind, dtype):
    found = KINDS[kind](images, seed=3, epoch=4, dtype=dtype)
    key = mixed_key(3, 4)
    for r, image in enumerate(images):
        expected = by_scipy(KINDS[kind], image, mixed_key(key, r))
        assert np.abs(found[r] - expected).max() < (1e-5 if dtype == "float64" else 3e-5)


def test_gentle_classes_turn_by_half(images):
    kind = Distortion(rotation=30, gentle_classes=(1, 7))
    labels = np.array([0, 1, 2, 7, 8, 9])
    found = kind(images, labels, seed=0, dtype="float64")
    for r, (image, label) in enumerate(zip(images, labels, strict=True)):
        expected = by_scipy(kind, image, mixed_key(mixed_key(0, 0), r), label in (1, 7))
        assert np.abs(found[r] - expected).max() < 1e-5


def test_without_limits_nothing_moves(images):
    np.testing.assert_array_equal(Distortion()(images, dtype="float64"), images)


@every_kind
def test_what_has_only_zeros_around_it_stays_zero(images, kind):
    found = KINDS[kind](images[:5])
    assert np.mean(found == 0) > 0.5
    assert found.min() >= 0
    assert found.max() <= images.max() + 1e-6


@every_dtype
@every_kind
def test_every_fused_build_and_thread_makes_the_same_bits(images, kind, dtype, fused_isas):
    rows = np.tile(images.reshape(6, -1), (20, 1)).astype(dtype)
    found = set()
    for isa in fused_isas:
        d = KINDS[kind]
        taps = np.exp(-0.5 * (np.arange(-12, 13) / 4) ** 2)
        distortion = kernels.engine(dtype, isa).Distortion(
            SIDE, math.radians(d.rotation), 0.0, [], d.shear, d.scale, d.translation, d.elastic,
            taps / taps.sum(),
        )
        for threads in (1, 2, 3):
            found.add(distortion.images(rows, None, 1, 2, threads).tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("side", [1, 3, 16, 17, 33])
def test_squares_of_any_size(side):
    rng = np.random.default_rng(side)
    image = rng.uniform(size=(2, side, side))
    found = KINDS["both"](image, dtype="float64")
    expected = by_scipy(KINDS["both"], image[1], mixed_key(mixed_key(0, 0), 1))
    assert np.abs(found[1] - expected).max() < 1e-5


@pytest.mark.parametrize("options", [{}, {"uint8_scale": 1 / 255}, {"uint8_scale": 0.5}], ids=str)
@pytest.mark.parametrize("name", ["affine", "both"])
def test_uint8_images_count_as_value_times_scale(name, options):
    images = np.random.default_rng(0).integers(0, 256, (3, 64), np.uint8)
    scaled = images.astype(np.float32) * np.float32(options.get("uint8_scale", 1))
    found = KINDS[name](images, **options)
    assert found.tobytes() == KINDS[name](scaled).tobytes()


def test_no_images_are_refused_as_everywhere():
    with pytest.raises(ValueError, match="images: X is empty; expected at least one example"):
        KINDS["both"](np.zeros((0, 64)))


# -------------------------------------------------------------------------------- training


@pytest.fixture(scope="module")
def digits():
    data = fastmlp.datasets.digits()
    return data.X[:1000], data.y[:1000]


def trained(digits, epochs=3, n_threads=2, use_sparse=True, **options) -> fastmlp.MLP:
    net = fastmlp.MLP((64, 70, 40, 10), seed=1, **options)
    net.state.use_sparse(use_sparse)
    net.fit(*digits, epochs=epochs, augment=KINDS["both"], n_threads=n_threads)
    return net


@pytest.mark.parametrize("options", [{}, {"input_dropout": 0.2, "batch_norm": True}], ids=str)
def test_training_on_distortions_gives_the_same_bits_on_any_threads_and_paths(digits, options):
    found = {
        b"".join(W.tobytes() for W in trained(digits, 3, threads, skip, **options).weights)
        for threads in (1, 2, 3)
        for skip in (True, False)
    }
    assert len(found) == 1


@pytest.mark.parametrize("scale", [1.0, 1 / 255])
def test_uint8_and_float_train_alike(digits, scale):
    X, y = digits
    bytes_ = np.round(X * 255).astype(np.uint8)
    one, other = (fastmlp.MLP((64, 30, 10), uint8_scale=scale) for _ in range(2))
    one.fit(bytes_, y, epochs=2, augment=KINDS["affine"])
    other.fit(bytes_.astype(np.float32) * np.float32(scale), y, epochs=2, augment=KINDS["affine"])
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_epoch_has_distortions_of_its_own_and_resumes(digits, tmp_path):
    whole, first = trained(digits, 4), trained(digits, 2)
    first.save(tmp_path / "net.npz", with_optimizer=True)
    second = fastmlp.load(tmp_path / "net.npz")
    second.fit(*digits, epochs=2, augment=KINDS["both"])
    for a, b in zip(whole.weights, second.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_first_batch_trains_on_its_distorted_images(digits):
    X, y = digits
    net = fastmlp.MLP((64, 20, 10), dtype="float64", seed=7)
    plain = fastmlp.MLP((64, 20, 10), dtype="float64", seed=7)
    kind = KINDS["affine"]
    step = fastmlp.GradientDescent(0.5)
    net.fit(X, y, epochs=1, batch_size=1000, shuffle=False, optimizer=step, augment=kind)
    distorted = np.array([
        by_scipy(kind, x.reshape(8, 8), mixed_key(key_of_rows(7), r)).ravel()
        for r, x in enumerate(X)
    ])
    plain.fit(distorted, y, epochs=1, batch_size=1000, shuffle=False, optimizer=step)
    for a, b in zip(net.weights, plain.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def key_of_rows(seed: int) -> int:
    """The key of batch 0 of epoch 0, where the rows' keys are mixed from."""
    return mixed_key(mixed_key(mixed_key(seed, 0), 0), 1 << 20)


@pytest.mark.parametrize("values, message", [
    ({"rotation": 181}, r"rotation must be in \[0, 180\]"),
    ({"scale": 1.0}, r"scale must be in \[0, 1\)"),
    ({"elastic": -1}, r"elastic must be in \[0, inf\)"),
    ({"smoothness": 0}, r"smoothness must be in \(0, 100\]"),
    ({"shape": (2, 3)}, r"shape must be square, got \(2, 3\)"),
])
def test_limits_are_checked(values, message):
    with pytest.raises(ValueError, match=message):
        Distortion(**values)


def test_what_cannot_be_distorted_is_refused(digits):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = digits
    net = fastmlp.MLP((64, 10, 10))
    with pytest.raises(TypeError, match="X is a sparse matrix"):
        net.fit(sparse.csr_matrix(X), y, augment=KINDS["affine"])
    with pytest.raises(TypeError, match="augment must be a fastmlp.augment.Distortion, got 'aff"):
        net.fit(X, y, augment="affine")
    with pytest.raises(ValueError, match="63 inputs are not a square"):
        fastmlp.MLP((63, 10, 10)).fit(X[:, :63], y, augment=KINDS["affine"])
