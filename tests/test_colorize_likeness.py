"""Colors like those of a reference: what matches, what follows, and who takes none."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from pix2pix import images
from pix2pix.app.service import api
from pix2pix.colorize import Colorizer, Wish
from pix2pix.colorize.likeness import Known, Seen, match, over
from pix2pix.colorize.reference import Reference
from pix2pix.errors import BadReference, PhotoError, TooLarge, Unreadable
from pix2pix.nets import build_generator
from pix2pix.weights import Header

SAMPLES = Path(__file__).parents[1] / "resources" / "samples"
PHOTO = np.ascontiguousarray(skimage.data.astronaut()[:256, 128:384])
OTHER = np.ascontiguousarray(skimage.data.coffee()[80:336, 200:456])


@pytest.fixture(scope="module")
def default() -> Colorizer:
    return Colorizer.from_pretrained("default", device="cpu")


def tiny(**arguments) -> Colorizer:
    """A random net of the default's kind."""
    import torch

    torch.manual_seed(0)
    config = {"net": "BackboneUNet", "encoder": "squeezenet1_1", "frozen": 0, "in_channels": 4}
    net = build_generator({**config, "decoder": (8, 8, 8, 8), "bottleneck": 8, **arguments})
    return Colorizer(net, Header(generator=net.config, name="tiny", area=64 * 64))


def png(rgb: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    images.to_image(rgb).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def psnr(result: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.square((result - truth.astype(float)) / 255).mean()))


def seen(colorizer: Colorizer, rgb: np.ndarray) -> Seen:
    L = colorizer._lightness(rgb)
    return Seen.of(colorizer._features(L), L)


# --- the reference --------------------------------------------------------------------------------


def test_a_reference_is_small_equal_by_its_pixels_and_travels(tmp_path):
    path, made = tmp_path / "a.png", Reference.of(PHOTO)
    path.write_bytes(png(PHOTO))
    for source in (path, str(path), path.read_bytes(), images.to_image(PHOTO), made):
        assert Reference.of(source) == made and hash(Reference.of(source)) == hash(made)
    assert Reference.of(OTHER) != made
    assert Wish(like=made) == Wish(like=Reference.of(path)) != Wish()
    large = Reference.of(np.tile(OTHER, (4, 6, 1)))
    assert large.height * large.width <= 256 * 256 and abs(large.width / large.height - 1.5) < 0.02
    assert large == pickle.loads(pickle.dumps(large)) and len(pickle.dumps(large)) < 200_000
    np.testing.assert_array_equal(made.rgb, PHOTO)


def test_a_reference_without_color_or_that_is_no_picture_is_a_typed_error(tmp_path):
    gray = np.repeat(PHOTO[..., :1], 3, 2)
    sepia = (gray * np.array([1, 0.85, 0.65])).astype(np.uint8)
    for rgb in (gray, sepia):
        with pytest.raises(BadReference, match="gray, or of one tone") as caught:
            Reference.of(rgb)
        assert isinstance(caught.value, PhotoError) and caught.value.code == "reference"
    with pytest.raises(Unreadable):
        Reference.of(tmp_path / "none.jpg")
    with pytest.raises(TooLarge):
        Reference.of(png(PHOTO), max_pixels=100)
    with pytest.raises(TypeError, match="int is no picture"):
        Reference.of(3)  # type: ignore[arg-type]


# --- matches --------------------------------------------------------------------------------------


def _cells(*vectors: tuple[float, ...], L: float = 0.0) -> Seen:
    return Seen(np.array(vectors, np.float32), np.full(len(vectors), L, np.float32), (1, 3))


def test_cells_match_those_most_like_them():
    one = _cells((1, 0, 0), (0, 1, 0), (0, 0, 1))
    found, weights = match(one, _cells((0, 0, 1), (1, 0, 0), (0, 1, 0)))
    assert found.tolist() == [0, 1, 2] and weights.argmax(1).tolist() == [1, 2, 0]
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
    assert len(match(one, _cells((0, 0, 1), (1, 0, 0), (0, 1, 0), L=1.5))[0]) == 0  # too light


def test_a_match_is_mutual():
    """The second cell's nearest has one that is far nearer to it."""
    one = _cells((1, 0, 0), (0.6, 0.6, 0), (0, 0, 1))
    found, _ = match(one, _cells((1, 0, 0), (0, 0, 1), (0, -1, 0)))
    assert 0 in found and 2 in found and 1 not in found


def test_matches_become_hints_in_the_middles_of_their_cells():
    one = _cells((1, 0, 0), (0, 1, 0), (0, 0, 1))
    ab = np.zeros((2, 8, 24), np.float32)
    ab[0] = np.repeat([0.1, 0.2, 0.3], 8)
    hints = Known.of(one, ab).hint_map(one, (8, 24))
    assert hints.shape == (1, 3, 8, 24)
    np.testing.assert_allclose(hints[0, 0, 4, [4, 12, 20]], [0.1, 0.2, 0.3], atol=1e-3)
    assert hints[0, 2].sum() == 3 * 25 and hints[0, 2, 0].sum() == 0


def test_hints_of_a_person_push_matches_aside():
    matched, hints = np.ones((1, 3, 64, 64), np.float32), np.zeros((1, 3, 64, 64), np.float32)
    assert np.array_equal(over(hints, matched), matched)
    hints[0, :, 30, 30] = 0.5, -0.5, 1
    joined = over(hints, matched)
    assert joined[0, :, 30, 30].tolist() == [0.5, -0.5, 1] and joined[0, 2, 24:36, 24:36].sum() == 1
    assert joined[0, 2].sum() > 3000


def test_many_places_match_in_the_mirrored_photo_and_few_in_another(default):
    photo = seen(default, PHOTO)
    many = len(match(photo, seen(default, PHOTO[:, ::-1].copy()))[0])
    few = len(match(photo, seen(default, OTHER))[0])
    assert many > 200 and few < many / 5


# --- colors ---------------------------------------------------------------------------------------


def test_a_photo_of_the_same_colors_brings_most_of_them_back(default):
    for rgb in (PHOTO, OTHER):
        plain, liked = (
            default.rgb(rgb, like=like) for like in (None, np.ascontiguousarray(rgb[:, ::-1]))
        )
        assert psnr(liked, rgb) > psnr(plain, rgb) + 2


def test_equal_references_give_equal_bits_and_others_other_colors(default):
    first = default.rgb(PHOTO, like=PHOTO)
    other = default.rgb(PHOTO, like=OTHER)
    assert np.array_equal(first, default.rgb(PHOTO, like=Reference.of(PHOTO)))
    assert not np.array_equal(first, other)
    assert not np.array_equal(other, default.rgb(PHOTO))
    assert np.array_equal(default.rgb(PHOTO), default.rgb(PHOTO, like=None))


def test_hints_and_takes_go_with_a_reference(default):
    like = Reference.of(PHOTO)
    dot = (30, 225, (60, 160, 60))  # a gray that is neither black nor white, which take no color
    for hints in ([], [dot]):
        colored = default.color(PHOTO, Wish(hints=hints, like=like))
        red, green, blue = colored[225, 30].astype(int)
        assert (green > red + 30 and green > blue + 30) == bool(hints)
    takes = [default.color(PHOTO, Wish(seed=seed, like=like)) for seed in (1, 2)]
    assert not np.array_equal(*takes)


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_engines_see_the_same(default, engine):
    ours = Colorizer.from_pretrained("default", device="cpu", engine="torch")
    theirs = Colorizer.from_pretrained("default", device="cpu", engine=engine)
    L = ours._lightness(PHOTO)
    source = np.concatenate([L, np.zeros((1, 3, *L.shape[-2:]), np.float32)], 1)
    expected, found = (one.engine.features(source) for one in (ours, theirs))
    assert expected.shape == (1, 152, L.shape[-2] // 8, L.shape[-1] // 8)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert set(theirs.engine.run(source)) == {"answer", "ab", "logits"}  # no more than asked for
    expected, found = (one.engine.aside("polarity", source) for one in (ours, theirs))
    np.testing.assert_allclose(found, expected, atol=1e-2)
    liked = [one.rgb(PHOTO, like=OTHER) for one in (ours, theirs)]
    assert np.abs(np.subtract(*liked, dtype=float)).mean() < (0.2 if engine == "onnx" else 2)


# --- who takes none -------------------------------------------------------------------------------


def test_a_net_without_features_or_hints_says_so():
    unet = build_generator({"net": "UNet", "width": 4, "depth": 3})
    plain = Colorizer(unet, Header(name="plain", generator=unet.config, area=32 * 32))
    for colorizer in (plain, tiny(in_channels=1)):
        assert not colorizer.takes_reference
        with pytest.raises(BadReference, match="takes no reference"):
            colorizer.rgb(PHOTO, like=PHOTO)
    for name in ("features", "polarity"):
        with pytest.raises(LookupError, match=f"no {name}"):
            plain.engine.aside(name, np.zeros((1, 1, 32, 32), np.float32))


def test_a_net_of_any_encoder_takes_one():
    for light in (False, True):
        colorizer = tiny(light=light)
        assert colorizer.takes_reference
        found, weights = match(seen(colorizer, PHOTO), seen(colorizer, PHOTO))
        assert len(found) > 50 and (weights.argmax(1) == found).mean() > 0.9
        assert not np.array_equal(colorizer.rgb(PHOTO), colorizer.rgb(PHOTO, like=OTHER))


# --- over the wire --------------------------------------------------------------------------------


def test_the_service_colors_as_the_colorizer_does():
    colorizer = tiny()
    sent, like = png(PHOTO), png(OTHER)
    asked = {"wish": Wish(), "format": None, "max_pixels": 10**6}
    answer = api._color(colorizer, data=sent, like=like, **asked)
    read = images.read(sent)
    expected = images.encode(colorizer.rgb(read.rgb, like=OTHER), like=read, model="tiny")
    assert answer.photo == expected
    assert answer.photo != api._color(colorizer, data=sent, like=None, **asked).photo
    with pytest.raises(PhotoError, match="like: ") as caught:
        api._color(colorizer, data=sent, like=like, **asked | {"max_pixels": 100})
    assert caught.value.code == "too_large"
