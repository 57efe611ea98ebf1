"""ICC profiles to sRGB, through LittleCMS, and only where the profile changes something.

A profile that cannot be used (random bytes, absurdly large, made for another color space) is no
reason to refuse a photo: it is read as sRGB, with a warning.
"""

import functools
import io
import re
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from pix2pix.images.bits import big
from pix2pix.images.coding import Coding, from_code_points

# Real profiles end near 2.7 MB (CMYK printing conditions with fine tables); above is no profile.
MAX_PROFILE_BYTES = 3 * 2**20
INTENT = ImageCms.Intent.PERCEPTUAL
_SPACES = {"L": (b"GRAY", b"RGB "), "RGB": (b"RGB ",), "CMYK": (b"CMYK",)}

ToSRGB = Callable[[Image.Image], Image.Image]


@functools.cache
def srgb_profile() -> ImageCms.ImageCmsProfile:
    """The sRGB profile that everything is converted to."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@functools.cache
def srgb_bytes() -> bytes:
    """The sRGB profile as it is put into files, with a fixed date: same in, same bytes out."""
    profile = bytearray(srgb_profile().tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    profile[84:100] = bytes(16)  # a checksum over the old date, zero for none
    return bytes(profile)


def to_srgb(icc: bytes | None, *, mode: str, warnings: list[str]) -> ToSRGB | None:
    """Make the function that converts a PIL image of `mode` (L, RGB, CMYK, LAB) to sRGB.

    None when nothing is to be done: no profile (Pillow's plain conversion has to do for CMYK), or
    one that is sRGB within one level of 255.
    Appends to `warnings` when the profile cannot be used.
    """
    if mode == "LAB":
        return _lab_to_rgb()
    if not icc:
        return None
    try:
        return _transform(icc, mode)
    except (ValueError, TypeError, OSError, ImageCms.PyCMSError) as error:
        warnings.append(f"color profile ignored, read as sRGB: {error}")
        return None


@functools.lru_cache(maxsize=8)
def coding(icc: bytes | None) -> Coding | None:
    """The HDR coding that a profile states in its cicp tag (ICC 4.4), or in its name alone.

    None for any other profile: LittleCMS, which takes the brightest for white, reads those right.
    """
    if icc is None or len(icc) < 132 or icc[36:40] != b"acsp" or len(icc) > MAX_PROFILE_BYTES:
        return None
    count = min(big(icc, 128, 4), 200)
    for entry in range(132, 132 + 12 * count, 12):
        if icc[entry : entry + 4] == b"cicp":
            start = big(icc, entry + 4, 4)
            stated = icc[start + 8 : start + 10]
            found = from_code_points(*stated) if len(stated) == 2 else None
            return found if found is not None and found.hdr else None
    return _coding_by_name(icc)


def _coding_by_name(icc: bytes) -> Coding | None:
    """PQ and HLG profiles from before the cicp tag say so in their description only."""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    except (ValueError, TypeError, OSError, ImageCms.PyCMSError):
        return None
    transfer = 16 if re.search(r"\bPQ\b|2084", name) else 18 if re.search(r"\bHLG\b", name) else 0
    return from_code_points(12 if "P3" in name else 9, transfer) if transfer else None


@functools.lru_cache(maxsize=8)
def _transform(icc: bytes, mode: str) -> ToSRGB | None:
    """Raises ValueError, OSError or PyCMSError for a profile that cannot be used."""
    space = _check(icc, mode)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    if mode == "L":
        return _gray_table(profile, "L" if space == b"GRAY" else "RGB")
    transform = ImageCms.buildTransform(profile, srgb_profile(), mode, "RGB", INTENT)
    if mode == "RGB" and _is_identity(transform):
        return None
    return transform.apply


def _check(icc: bytes, mode: str) -> bytes:
    if len(icc) > MAX_PROFILE_BYTES:
        raise ValueError(f"{len(icc):,} bytes, more than {MAX_PROFILE_BYTES:,}")
    if len(icc) < 132 or icc[36:40] != b"acsp":
        raise ValueError("no ICC profile")
    space = icc[16:20]
    if space not in _SPACES[mode]:
        name = space.decode("latin-1").strip()
        raise ValueError(f"made for {name!r} pixels, the picture has {mode}")
    return space


def _gray_table(profile: ImageCms.ImageCmsProfile, mode: str) -> ToSRGB | None:
    """Gray stays gray: the profile acts through a table of the 256 levels.

    An RGB profile on a gray picture acts through its neutral axis.
    """
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    transform = ImageCms.buildTransform(profile, srgb_profile(), mode, "RGB", INTENT)
    rgb = np.asarray(transform.apply(ramp.convert(mode)), dtype=np.float32)[0]  # (256, 3)
    table = np.rint(rgb.mean(axis=1)).astype(np.uint8)
    if np.abs(table.astype(int) - np.arange(256)).max() <= 1:
        return None
    levels = table.tolist()
    return lambda image: image.point(levels)


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether the transform moves no color of a 17x17x17 lattice by more than one level."""
    steps = np.linspace(0, 255, 17).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    after = np.asarray(transform.apply(Image.fromarray(lattice)), dtype=int)
    return bool(np.abs(after - lattice).max() <= 1)


@functools.cache
def _lab_to_rgb() -> ToSRGB:
    lab = ImageCms.createProfile("LAB")
    return ImageCms.buildTransform(lab, srgb_profile(), "LAB", "RGB", INTENT).apply
