"""What pixel values mean without an ICC profile: primaries and transfer function, by code points.

PNG states them in cICP, gAMA and cHRM, HEIF and AVIF in a colr box, their codecs in a sequence
header, ICC 4.4 in a cicp tag. Source: ITU-T H.273 for the code points.
"""

from dataclasses import dataclass
from typing import Literal

from pix2pix.errors import UnsupportedMode

Chromaticities = tuple[float, ...]  # x and y of red, green, blue and white

_D65 = (0.3127, 0.3290)
SRGB: Chromaticities = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65)
BT2020: Chromaticities = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65)
P3: Chromaticities = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65)
_PRIMARIES: dict[int, Chromaticities] = {
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.310, 0.316),
    9: BT2020,
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: P3,
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_NOT_READ = {9: "logarithmic", 10: "logarithmic", 17: "SMPTE ST 428-1"}
# Chromaticities that differ by less look the same; libpng takes 5 % of gamma as equal.
_SAME_CHROMATICITY, _SAME_GAMMA = 0.006, 0.05


@dataclass(frozen=True)
class Coding:
    """A transfer function and the primaries. `gamma` is that of "gamma": light = value ** gamma."""

    transfer: Literal["srgb", "gamma", "pq", "hlg"] = "srgb"
    gamma: float = 1.0
    primaries: Chromaticities = SRGB

    @property
    def hdr(self) -> bool:
        """Whether it is a high dynamic range: white may be brighter than paper."""
        return self.transfer in ("pq", "hlg")


def from_code_points(primaries: int, transfer: int) -> Coding | None:
    """Look up H.273's code points -> their coding, None for sRGB and where not stated.

    The transfer functions of video (BT.709 and its kin) are read as sRGB, as browsers do.
    Raises UnsupportedMode for those of film.
    """
    if transfer in _NOT_READ:
        raise UnsupportedMode(f"{_NOT_READ[transfer]} transfer function ({transfer})")
    colors = _PRIMARIES.get(primaries, SRGB)
    if transfer in (16, 18):
        return Coding("pq" if transfer == 16 else "hlg", primaries=colors)
    if transfer in _GAMMAS:
        return from_gamma(_GAMMAS[transfer], colors)
    return None if _same(colors, SRGB) else Coding(primaries=colors)


def from_gamma(gamma: float | None, primaries: Chromaticities | None) -> Coding | None:
    """Make a coding of a gamma and primaries (gAMA, cHRM), None where it looks as sRGB does.

    Either is None where the file does not say; what no screen can be counts as not said.
    """
    if primaries is None or _same(primaries, SRGB) or not _possible(primaries):
        colors = SRGB
    else:
        colors = primaries
    plain = gamma is None or abs(gamma / 2.2 - 1) < _SAME_GAMMA or not 0.2 < gamma < 5
    if plain:
        return None if colors is SRGB else Coding(primaries=colors)
    assert gamma is not None
    return Coding("gamma", gamma, colors)


def _same(one: Chromaticities, other: Chromaticities) -> bool:
    return all(abs(a - b) < _SAME_CHROMATICITY for a, b in zip(one, other, strict=True))


def _possible(primaries: Chromaticities) -> bool:
    """Whether white and a triangle of some size are there."""
    rx, ry, gx, gy, bx, by, wx, wy = primaries
    area = abs((gx - rx) * (by - ry) - (bx - rx) * (gy - ry)) / 2
    return min(ry, gy, by) > 1e-4 and 0.2 < wx < 0.5 and 0.2 < wy < 0.5 and 0.02 < area < 1
