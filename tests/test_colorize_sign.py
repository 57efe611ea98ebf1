"""The sign: legible, in its corner, on every size and tone, and said in the metadata."""

import numpy as np
import pytest

from pix2pix import images
from pix2pix.colorize import sign
from pix2pix.colorize.copies import color_photo
from pix2pix.images import Photo
from pix2pix.images.depth import Deep

SIZES = [(62, 64), (120, 160), (100, 2000), (2000, 100), (1500, 2000)]


def flat(size: tuple[int, int], tone: int, dtype: type = np.uint8) -> Photo:
    return Photo(np.full((*size, 3), tone, dtype), None, "PNG")


def contrast(one: float, other: float) -> float:
    """WCAG 2's ratio of two grays in [0, 1]."""
    light, dark = sorted(
        (((v + 0.055) / 1.055) ** 2.4 if v > 0.04 else v / 12.92 for v in (one, other)),
        reverse=True,
    )
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tone", [0, 1, 128, 255])
def test_it_is_legible_in_its_corner(size: tuple[int, int], tone: int):
    signed = sign.put(flat(size, tone))
    assert signed.warnings == [] and signed.rgb.shape == (*size, 3)
    rows, columns = np.nonzero((signed.rgb != tone).any(2))
    assert rows.min() >= size[0] * 0.4 and len(rows) > 200
    if min(size) > 150:
        assert columns.min() >= size[1] * 0.4
        assert rows.max() < size[0] - 1 and columns.max() < size[1] - 1
    plate = signed.rgb[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert contrast(plate.max() / 255, np.median(plate) / 255) > 4.5
    assert rows.max() + 1 - rows.min() >= 8  # pixels high


def test_it_grows_with_the_photo():
    small, large = (sign.put(flat(size, 255)).rgb for size in ((600, 800), (1500, 2000)))
    shares = [(rgb != 255).any(2).mean() for rgb in (small, large)]
    assert shares[0] == pytest.approx(shares[1], rel=0.25)


@pytest.mark.parametrize("size", [(1, 1), (20, 900), (900, 20), (40, 40)])
def test_a_photo_too_small_for_it_stays(size: tuple[int, int]):
    signed = sign.put(flat(size, 200))
    assert (signed.rgb == 200).all() and "too small" in signed.warnings[0]


def test_16_bits_are_signed_alike():
    deep = sign.put(flat((300, 400), 40_000, np.uint16)).rgb
    shallow = sign.put(flat((300, 400), round(40_000 / 257))).rgb
    assert deep.dtype == np.uint16 and np.abs(deep / 257 - shallow).max() <= 1


def test_transparent_corners_show_it():
    clear = np.zeros((300, 400), np.uint8)
    photo = flat((300, 400), 40_000, np.uint16)
    photo.alpha, photo.deep = clear, Deep(clear.astype(np.uint16), clear.astype(np.uint16))
    signed = sign.put(photo)
    assert signed.alpha is not None and signed.deep is not None and not clear.any()
    written = (signed.rgb != 40_000).any(2)
    assert (signed.alpha[written] == 255).all() and (signed.deep.alpha[written] == 65535).all()
    assert signed.alpha[:100].max() == 0


class Gray:
    """A model that changes nothing."""

    name = "none"

    def color(self, rgb: np.ndarray, wish: object) -> np.ndarray:
        return rgb.copy()


def test_the_copy_says_so():
    made = color_photo(flat((300, 400), 90), Gray(), signed=True)
    written, _ = made.encode()
    photo = images.read(written)
    assert (photo.rgb != 90).any()
    assert b"signed &quot;color simulated&quot;, none" in (photo.xmp or b"")
    plain, _ = color_photo(flat((300, 400), 90), Gray()).encode()
    assert (images.read(plain).rgb == 90).all() and b"simulated" not in plain
