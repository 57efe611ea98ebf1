"""Frames: the first one only, and a warning that counts the others without decoding them."""

import numpy as np
import pytest
from bad_inputs import jpegs, pictures
from bad_inputs.outcomes import outcome
from PIL import Image

pytestmark = pytest.mark.filterwarnings("error")

RGB = pictures.rgb()
OTHERS = [Image.fromarray(np.roll(RGB, 9 * i, axis=1)) for i in range(1, 5)]


def _animated(format: str, **options: object) -> bytes:
    return pictures.encoded(RGB, format, save_all=True, append_images=OTHERS, **options)


MANY = {
    "animated GIF": _animated("GIF", duration=50),
    "animated WebP": _animated("WEBP", lossless=True, duration=50),
    "APNG": _animated("PNG", duration=50),
    "APNG with a default image": _animated("PNG", duration=50, default_image=True),
    "animated AVIF": _animated("AVIF", quality=95, duration=50),
    "multi-page TIFF": _animated("TIFF"),
    "multi-page LZW TIFF": _animated("TIFF", compression="tiff_lzw"),
    "big-endian multi-page TIFF": _animated("TIFF", big_tiff=True),
    "MPO": jpegs.multi_picture(RGB, 4),
}
LOSSY = {"animated GIF": 12, "animated AVIF": 6, "MPO": 6}


@pytest.mark.parametrize("name", MANY)
def test_first_frame_and_a_warning(name: str):
    found = outcome(MANY[name])
    assert found.code == "OK" and found.photo is not None, found.reason
    assert found.photo.warnings == ["4 further frames ignored"]
    assert np.abs(found.photo.rgb.astype(int) - RGB).mean() <= LOSSY.get(name, 0)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF", "TIFF", "JPEG"])
def test_one_frame_is_no_warning(format: str):
    found = outcome(pictures.encoded(RGB, format))
    assert found.photo is not None and found.photo.warnings == []


def test_two_frames_are_one_further():
    data = pictures.encoded(RGB, "TIFF", save_all=True, append_images=OTHERS[:1])
    found = outcome(data)
    assert found.photo is not None and found.photo.warnings == ["1 further frame ignored"]


@pytest.mark.parametrize("name", ["animated GIF", "multi-page LZW TIFF"])
def test_damage_in_a_later_frame_does_not_matter(name: str):
    data = bytearray(MANY[name])
    middle = len(data) * 3 // 4
    data[middle : middle + 40] = bytes(range(1, 41))
    found = outcome(bytes(data))
    assert found.code == "OK" and found.photo is not None
    assert np.abs(found.photo.rgb.astype(int) - RGB).mean() <= LOSSY.get(name, 0)
