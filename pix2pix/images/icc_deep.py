"""ICC profiles for 16 bits: the lightness of samples as 16-bit sRGB gray, through LittleCMS.

Pillow hands LittleCMS gray of 16 bits, but RGB of 8 only. So RGB goes by a lattice of 8-bit
colors, denser toward black, whose grays have 16 bits; what is between is interpolated. A linear
profile, the worst one, is off by a half level of 8 bits there, and less elsewhere.
"""

import functools
import io
import struct

import numpy as np
from PIL import Image, ImageCms

from pix2pix.images import icc

_NO_RESAMPLING = 0x0100  # cmsFLAGS_NOOPTIMIZE: else of a grid of 33 levels a side
_D50 = (0.9642, 1.0, 0.8249)
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_STEPS = 56

NODES = np.unique(np.rint(255 * np.linspace(0, 1, _STEPS) ** 1.6)).astype(np.uint8)
"""The 8-bit levels of the lattice."""


@functools.lru_cache(maxsize=4)
def gray_table(profile: bytes | None) -> np.ndarray | None:
    """Gray of 16 bits -> that of sRGB, (65536,) uint16; None where a profile changes nothing."""
    if profile is None or icc.to_srgb(profile, mode="L", warnings=[]) is None:
        return None
    if profile[16:20] == b"GRAY":
        ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
        return _grays(profile, Image.fromarray(ramp), "I;16").ravel()
    levels = np.arange(256, dtype=np.uint8)  # along the neutral axis of an RGB profile
    grays = _grays(profile, Image.fromarray(levels[None]).convert("RGB"), "RGB")[0]
    return np.rint(np.interp(np.arange(65536) / 257, levels, grays)).astype(np.uint16)


@functools.lru_cache(maxsize=4)
def lattice(profile: bytes | None) -> np.ndarray | None:
    """Grays (N, N, N) float32 in [0, 65535] of RGB at NODES; None where nothing is to be done."""
    if profile is None or icc.to_srgb(profile, mode="RGB", warnings=[]) is None:
        return None
    colors = np.stack(np.meshgrid(NODES, NODES, NODES, indexing="ij"), axis=-1)
    flat = colors.reshape(len(NODES), -1, 3)
    return (
        _grays(profile, Image.fromarray(flat), "RGB").astype(np.float32).reshape(colors.shape[:3])
    )


def _grays(profile: bytes, image: Image.Image, mode: str) -> np.ndarray:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    gray = ImageCms.ImageCmsProfile(io.BytesIO(_srgb_gray()))
    flags = ImageCms.Flags(_NO_RESAMPLING)
    transform = ImageCms.buildTransform(source, gray, mode, "I;16", icc.INTENT, flags)
    return np.asarray(transform.apply(image))


def _srgb_gray() -> bytes:
    """A profile of gray with the curve of sRGB (ICC.1:2022: curve type para, function 3)."""
    curve = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + _fixed(*_SRGB_CURVE)
    white = b"XYZ " + bytes(4) + _fixed(*_D50)
    start = 128 + 4 + 2 * 12
    entries = struct.pack(">I4sII", 2, b"wtpt", start, len(white))
    entries += struct.pack(">4sII", b"kTRC", start + len(white), len(curve))
    size = start + len(white) + len(curve)
    head = struct.pack(">I4xI", size, 0x04200000) + b"mntrGRAYXYZ " + bytes(12) + b"acsp"
    return head.ljust(68, b"\0") + _fixed(*_D50) + bytes(48) + entries + white + curve


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
