"""Samples of 16 bits to grays of their lightness: 16-bit sRGB with R = G = B.

By the same reading of profiles and codings as modes.py, in 16 bits.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from pix2pix import color
from pix2pix.images import hdr, icc_deep

ToGrays = Callable[[np.ndarray], np.ndarray]
"""Samples (rows, W, 1 or 3) uint16 -> grays (rows, W) uint16."""

_LEVELS = np.arange(65536)


def of_gray(profile: bytes | None, coded: hdr.ToSRGB | None) -> np.ndarray:
    """The grays (65536,) uint16 of all 16-bit gray values."""
    if coded is not None:
        return encode(coded.gray_light(_LEVELS / 65535))
    table = icc_deep.gray_table(profile)
    return _LEVELS.astype(np.uint16) if table is None else table


def of_color(profile: bytes | None, coded: hdr.ToSRGB | None) -> ToGrays:
    """Make the function for RGB."""
    if coded is not None:
        return lambda values: encode(coded.luminance(values))
    lattice = icc_deep.lattice(profile)
    return _of_srgb if lattice is None else partial(_interpolated, lattice)


@cache
def of_lab() -> np.ndarray:
    """The grays (65536,) uint16 of L* as TIFF stores it in 16 bits."""
    L = _LEVELS * (100 / 65535)
    return encode(np.where(L > 8, ((L + 16) / 116) ** 3, L * (27 / 24389)))


def encode(light: np.ndarray) -> np.ndarray:
    """Gamma-encode linear light, 1 is white -> uint16 sRGB."""
    scaled = color.linear_to_srgb(light.astype(np.float32)) * np.float32(65535)
    return np.rint(scaled).astype(np.uint16)


def _of_srgb(values: np.ndarray) -> np.ndarray:
    red, green, blue = (values[..., i] for i in range(3))
    if (red == green).all() and (green == blue).all():  # a gray scan, exact
        return green
    linear = _linear()
    of_red, of_green, of_blue = color.LINEAR_TO_XYZ[1]
    light = of_red * linear[red]
    light += of_green * linear[green]
    light += of_blue * linear[blue]
    return encode(light)


@cache
def _linear() -> np.ndarray:
    """Light (65536,) float32 of the values of sRGB."""
    return color.srgb_to_linear((_LEVELS / 65535).astype(np.float32))


@cache
def _places() -> tuple[np.ndarray, np.ndarray]:
    """Where a value is in the lattice: (65536,) its node, and how far it is from there to the next.

    In (intp, float32), the last node being that before white.
    """
    nodes = icc_deep.NODES.astype(np.intp) * 257
    node = np.searchsorted(nodes, _LEVELS, "right").clip(1, len(nodes) - 1) - 1
    way = (_LEVELS - nodes[node]) / (nodes[node + 1] - nodes[node])
    return node, way.astype(np.float32)


def _interpolated(lattice: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Trilinear interpolation, along blue, green and red in turn."""
    nodes, ways = _places()
    side, flat = len(lattice), lattice.ravel()
    red, green, blue = (values[..., i] for i in range(3))
    corner = (nodes[red] * side + nodes[green]) * side + nodes[blue]
    axes = [(side**2, ways[red]), (side, ways[green]), (1, ways[blue])]

    def between(start: np.ndarray, axis: int) -> np.ndarray:
        if axis == len(axes):
            return flat[start]
        step, way = axes[axis]
        low = between(start, axis + 1)
        return low + (between(start + step, axis + 1) - low) * way

    return np.rint(between(corner, 0)).astype(np.uint16)
