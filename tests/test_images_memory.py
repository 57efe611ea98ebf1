"""Memory that Pillow and numpy share: the same pixels and files as with copies, but no copies."""

import io
from itertools import pairwise

import numpy as np
import pytest
from bad_inputs import pictures
from PIL import Image, ImageCms

from pix2pix import images
from pix2pix.images import Photo, encode, memory, modes, read

RGB = pictures.rgb()
GRAY = pictures.gray()
WRITABLE = ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "AVIF"]
TURNS = list(Image.Transpose)


def rgbx(rgb: np.ndarray) -> np.ndarray:
    """The same pixels as a view of RGBX, with chance in the fourth byte."""
    storage = np.random.default_rng(0).integers(0, 256, (*rgb.shape[:2], 4), dtype=np.uint8)
    storage[..., :3] = rgb
    return storage[..., :3]


def lies_in_rgbx(rgb: np.ndarray) -> bool:
    return rgb.strides == (4 * rgb.shape[1], 4, 1) and rgb.base is not None


def lies_in_a_plane(rgb: np.ndarray) -> bool:
    return rgb.strides == (rgb.shape[1], 1, 0) and not rgb.flags.writeable


# Reading ---------------------------------------------------------------------------------------


@pytest.fixture
def no_canvas(monkeypatch: pytest.MonkeyPatch) -> None:
    """No array but the one that is decoded into."""
    monkeypatch.setattr(memory, "canvas", None)


@pytest.mark.parametrize("format", WRITABLE)
def test_color_is_decoded_into_the_array_that_read_returns(format: str, no_canvas: None):
    data = pictures.encoded(RGB, format)
    rgb = read(data).rgb
    assert lies_in_rgbx(rgb)
    np.testing.assert_array_equal(rgb, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_gray_is_one_plane(format: str, no_canvas: None):
    data = pictures.encoded(GRAY, format)
    rgb = read(data).rgb
    assert lies_in_a_plane(rgb)
    np.testing.assert_array_equal(rgb[..., 1], np.asarray(Image.open(io.BytesIO(data))))


def test_deep_gray_is_one_plane_too():
    levels = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    rgb = read(pictures.encoded(levels, "PNG")).rgb
    assert lies_in_a_plane(rgb)
    np.testing.assert_array_equal(rgb[..., 2], np.rint(levels / 257.0).astype(np.uint8))


def test_a_profile_acts_where_the_pixels_lie():
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # the colorants of red and blue change places
    red, blue = swapped.index(b"rXYZ"), swapped.index(b"bXYZ")
    profile = bytearray(swapped)
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "PNG", icc_profile=bytes(profile))
    photo = read(buffer.getvalue())
    assert lies_in_rgbx(photo.rgb)
    off = np.abs(photo.rgb.astype(int) - RGB[..., ::-1]).max()
    assert off <= 2 and not np.array_equal(photo.rgb, RGB)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("pixels", [RGB, GRAY], ids=["color", "gray"])
def test_turned_strip_by_strip_as_pillow_turns_at_once(turn, pixels, monkeypatch):
    monkeypatch.setattr(memory, "_STRIP_ROWS", 7)
    image = Image.fromarray(pixels)
    result = memory.turned(image, turn)
    expected = np.asarray(image.transpose(turn))
    np.testing.assert_array_equal(np.asarray(result), expected)
    held = memory.held(result)
    np.testing.assert_array_equal(held[..., :3] if held.ndim == 3 else held, expected)


def test_a_picture_of_the_caller_stays_as_it_is():
    image = Image.fromarray(RGB)
    rgb, _ = modes.to_rgb(image, images.Container(), warnings=[])
    rgb[:] = 0
    np.testing.assert_array_equal(np.asarray(image), RGB)


def test_an_image_that_a_decoder_replaced_is_held_no_more():
    image = Image.open(io.BytesIO(pictures.encoded(RGB, "JPEG")))
    memory.hold(image)
    image.load()
    assert memory.held(image) is not None
    image.im = image.copy().im
    assert memory.held(image) is None


# Writing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", WRITABLE)
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("lossless", [False, True])
def test_every_layout_of_the_same_pixels_gives_the_same_file(format, transparent, lossless):
    plane = np.ascontiguousarray(RGB[..., 1])
    broadcast = np.broadcast_to(plane[..., None], RGB.shape)
    alpha = plane[::-1].copy() if transparent else None
    for layouts in (
        [RGB, rgbx(RGB), RGB[::-1][::-1].transpose(1, 0, 2).copy().transpose(1, 0, 2)],
        [np.array(broadcast), rgbx(broadcast), broadcast],
    ):
        # of TIFF's compressions, LZW leaves a byte of padding to chance
        encoding = {"lossless": lossless, "compression": "tiff_adobe_deflate"}
        like = Photo(RGB, alpha, format, encoding=encoding)
        before = [layout.copy() for layout in layouts]
        files = [encode(layout, like=like, model="m") for layout in layouts]
        assert all(one == other for one, other in pairwise(files))
        for layout, kept in zip(layouts, before, strict=True):
            np.testing.assert_array_equal(layout, kept)
    assert format == "BMP" or files[0] != encode(RGB, like=like, model="m")


def test_rgbx_is_written_where_it_lies():
    storage = rgbx(RGB).base
    image = memory.to_image(storage[..., :3])
    storage[0, 0, :3] = 1, 2, 3
    assert image.getpixel((0, 0)) == (1, 2, 3)
    image.putalpha(0)  # changes a copy
    assert storage[0, 0].tolist()[:3] == [1, 2, 3] and storage[..., 3].any()


def test_colors_packed_in_integers_are_rgbx_too():
    packed = np.arange(12, dtype=np.int32).reshape(3, 4) * 1000
    rgb = packed.view(np.uint8).reshape(3, 4, 4)[..., :3]
    image = memory.to_image(rgb)
    packed[0, 0] = 7
    np.testing.assert_array_equal(np.asarray(image), rgb)


def test_strides_of_rgbx_without_its_last_byte_are_copied():
    flat = np.arange(4 * 5 * 6 + 2, dtype=np.uint8)[
        3:
    ]  # begins one byte before a whole picture ends
    rgb = np.lib.stride_tricks.as_strided(flat, (5, 6, 3), (24, 4, 1))
    for view in (rgb, np.zeros((5, 6, 4), np.uint8)[..., 1:]):
        image = memory.to_image(view)
        np.testing.assert_array_equal(np.asarray(image), view)


def test_parts_of_rgbx_are_right():
    whole = rgbx(RGB)
    for part in (whole[5:20], whole[:, 3:9], whole[5:6, 4:5], whole[::2], whole[..., ::-1]):
        np.testing.assert_array_equal(np.asarray(memory.to_image(part)), part)


def test_arrays_for_users_are_contiguous_and_their_own():
    broadcast = np.broadcast_to(np.ascontiguousarray(RGB[..., :1]), RGB.shape)
    for rgb in (rgbx(RGB), broadcast):
        for dtype in ("uint8", "uint16", "float32"):
            for alpha in (None, np.zeros(RGB.shape[:2], dtype)):
                array = images.to_array(rgb, alpha, np.dtype(dtype))
                assert array.flags.c_contiguous and array.flags.writeable
                assert not np.shares_memory(array, rgb)
