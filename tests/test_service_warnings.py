"""The service's X-Warnings: what reading and writing lost, as a JSON list that is whole."""

import json
from typing import Any, cast

import numpy as np
import pytest
from bad_inputs import jpegs, pictures

from pix2pix.app.service.api import _as_header, _color
from pix2pix.colorize.wish import Wish


class Tint:
    """Gives the photo back as it is."""

    name = "tint"

    def color(self, rgb: np.ndarray, wish: Wish) -> np.ndarray:
        return rgb


def color(data: bytes, format: str | None = None) -> tuple[bytes, str, list[str]]:
    colorizer = cast(Any, Tint())
    return _color(colorizer, data=data, wish=Wish(), like=None, format=format, max_pixels=10**6)


def test_what_writing_loses_is_told():
    source = pictures.encoded(pictures.gray(), "JPEG", comment="Großmutter".encode())
    copy, _, warnings = color(source)
    assert "Großmutter".encode() in copy and warnings == []
    copy, _, warnings = color(source, "bmp")
    assert "BMP holds no text: IPTC and comments are not written" in warnings


def test_what_reading_loses_is_told():
    source = jpegs.with_segment(pictures.encoded(pictures.gray(), "JPEG"), 0xFE, b"\x01\x02\x03")
    assert color(source)[2] == ["a comment not kept: it is no text, or too long a one"]


@pytest.mark.parametrize("count", [1, 20, 500])
@pytest.mark.parametrize("length", [10, 400, 9_000])
def test_the_header_is_a_whole_list(count: int, length: int):
    text = _as_header(["ä" * length] * count)
    assert len(text) <= 4_000 and text.isascii()
    shown = json.loads(text)
    left = int(shown[-1].split()[0]) if shown[-1].endswith(" more") else 0
    assert len(shown) - (left > 0) + left == count
