"""HDR and other codings without a profile to sRGB: PQ, HLG, gamma, wide primaries.

Light in cd/m2 is rolled off towards reference white, 203 cd/m2 (ITU-R BT.2408), by the EETF of
ITU-R BT.2390, section 5.4.1, from the brightest that the picture really holds; what is below the
knee, and a picture that nowhere exceeds paper white, stays as it is. The curve acts on the largest
of R, G and B and scales all three, which keeps hues. HLG is shown on its nominal display of
1,000 cd/m2 (BT.2100). Colors outside of sRGB are clipped.
"""

from functools import cached_property

import numpy as np
from PIL import Image

from pix2pix.color import LINEAR_TO_XYZ
from pix2pix.images.coding import SRGB, Chromaticities, Coding

WHITE = 203.0
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2
# SMPTE ST 2084
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
# ARIB STD-B67
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
# The brightest thousandth, sparks and dead pixels, may clip.
_BRIGHTEST = 0.001
_STEPS = 8192
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


class ToSRGB:
    """The conversion of one picture to sRGB; its tone curve depends on the brightest value."""

    def __init__(self, coding: Coding, brightest: float, warnings: list[str]):
        """`brightest` is the largest value that counts, in [0, 1]."""
        self.coding = coding
        self.peak = float(self._gray_light(np.array([brightest]))[0])
        self.matrix = _matrix(coding.primaries)
        if coding.hdr:
            name = coding.transfer.upper()
            warnings.append(f"HDR ({name}, up to {self.peak * WHITE:,.0f} cd/m2) becomes SDR")

    def gray(self, values: np.ndarray) -> np.ndarray:
        """Convert gray values in [0, 1] to uint8 sRGB."""
        return encode(self.gray_light(values))

    def gray_light(self, values: np.ndarray) -> np.ndarray:
        """Convert gray values in [0, 1] to light, 1 is white."""
        return _roll_off(self._gray_light(values), self.peak)

    def luminance(self, values: np.ndarray) -> np.ndarray:
        """Convert RGB (..., 3) uint16 to the luminance (...) of sRGB, 1 is white."""
        return self._shown(self._deep_light[values]).clip(0, 1) @ np.array(
            LINEAR_TO_XYZ[1], np.float32
        )

    @cached_property
    def _deep_light(self) -> np.ndarray:
        return self._linear(np.arange(65536) / 65535).astype(np.float32)

    def convert(self, image: Image.Image) -> Image.Image:
        """Convert a PIL image of mode L or RGB to sRGB, in the same mode."""
        levels = np.arange(256) / 255
        if image.mode == "L":
            return image.point(self.gray(levels).tolist())
        light = self._linear(levels).astype(np.float32)[np.asarray(image)]  # (H, W, 3)
        return Image.fromarray(encode(self._shown(light)))

    def _shown(self, light: np.ndarray) -> np.ndarray:
        """Linear RGB (..., 3) of the picture's coding, overwritten -> linear sRGB."""
        if self.coding.transfer == "hlg":
            light *= _ootf(light @ _luminance(self.coding.primaries))[..., None]
        if self.coding.hdr and self.peak > 1:
            light *= self._scale(light.max(axis=-1))[..., None]
        return light @ self.matrix.T

    def _linear(self, values: np.ndarray) -> np.ndarray:
        """Values in [0, 1] -> light, 1 is white; HLG's is that of the scene, 1 its brightest."""
        if self.coding.transfer == "pq":
            return pq_to_light(values) / WHITE
        if self.coding.transfer == "hlg":
            return hlg_to_scene(values)
        if self.coding.transfer == "gamma":
            return values**self.coding.gamma
        return np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)

    def _gray_light(self, values: np.ndarray) -> np.ndarray:
        light = self._linear(values)
        return light * _ootf(light) if self.coding.transfer == "hlg" else light

    def _scale(self, largest: np.ndarray) -> np.ndarray:
        """What the roll-off multiplies a pixel by, from a table over the square root of light."""
        top = float(largest.max())
        grid = np.linspace(0, 1, _STEPS) ** 2 * max(top, 1e-6)
        table = np.divide(_roll_off(grid, self.peak), grid, out=np.ones_like(grid), where=grid > 0)
        index = np.sqrt(largest / max(top, 1e-6)) * (_STEPS - 1) + 0.5
        return table.astype(np.float32)[index.astype(np.uint16)]


def brightest(image: Image.Image) -> float:
    """The 99.9th percentile of the pixel values, in [0, 1], of the brightest channel."""
    if image.mode in ("I", "F"):
        return 1.0
    if image.mode.startswith("I;16"):
        counts = [np.bincount(np.asarray(image).ravel() >> 8, minlength=256)]
    else:
        image = image if image.mode in ("L", "LA", "RGB", "RGBA") else image.convert("RGB")
        bands = np.reshape(image.histogram(), (-1, 256))
        counts = list(bands[: 1 if image.mode in ("L", "LA") else 3])
    most = image.width * image.height * _BRIGHTEST
    above = [np.cumsum(count[::-1])[::-1] for count in counts]  # pixels of that level or more
    return max(int(np.flatnonzero(count > most)[-1]) for count in above) / 255


def encode(light: np.ndarray) -> np.ndarray:
    """Gamma-encode linear light, 1 is white -> uint8 sRGB (IEC 61966-2-1), by a lookup table."""
    grid = np.linspace(0, 1, _STEPS) ** 2
    v = np.where(grid > 0.0031308, 1.055 * grid ** (1 / 2.4) - 0.055, 12.92 * grid)
    table = np.rint(255 * v).astype(np.uint8)
    index = np.sqrt(np.clip(light, 0, 1)) * (_STEPS - 1) + 0.5
    return table[index.astype(np.uint16)]


def pq_to_light(values: np.ndarray) -> np.ndarray:
    """PQ in [0, 1] -> cd/m2 (SMPTE ST 2084)."""
    power = np.clip(values, 0, 1) ** (1 / _M2)
    return 10_000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def light_to_pq(light: np.ndarray) -> np.ndarray:
    """cd/m2 -> PQ in [0, 1]."""
    power = (np.clip(light, 0, 10_000) / 10_000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def hlg_to_scene(values: np.ndarray) -> np.ndarray:
    """HLG in [0, 1] -> light of the scene in [0, 1] (ITU-R BT.2100, table 5)."""
    return np.where(values <= 0.5, values**2 / 3, (np.exp((values - _C) / _A) + _B) / 12)


def _ootf(luminance: np.ndarray) -> np.ndarray:
    """What BT.2100's OOTF multiplies scene light of that luminance by; 1 then is WHITE."""
    return _HLG_PEAK / WHITE * np.maximum(luminance, 1e-6) ** (_HLG_GAMMA - 1)


def _roll_off(light: np.ndarray, peak: float) -> np.ndarray:
    """Light with 1 for WHITE, up to `peak` -> at most 1, by BT.2390's EETF (black is 0)."""
    if peak <= 1:
        return light
    top = light_to_pq(np.array(peak * WHITE))
    signal = np.minimum(light_to_pq(light * WHITE) / top, 1)
    most = light_to_pq(np.array(WHITE)) / top
    knee = 1.5 * most - 0.5
    t = (signal - knee) / (1 - knee)
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * most
    )
    return pq_to_light(np.where(signal < knee, signal, curve) * top) / WHITE


def _matrix(primaries: Chromaticities) -> np.ndarray:
    """Linear RGB of those primaries -> linear sRGB, white on white (Bradford)."""
    cones, target = _BRADFORD @ _white(primaries), _BRADFORD @ _white(SRGB)
    adapt = np.linalg.inv(_BRADFORD) @ np.diag(target / cones) @ _BRADFORD
    return (np.linalg.inv(_to_xyz(SRGB)) @ adapt @ _to_xyz(primaries)).astype(np.float32)


def _to_xyz(primaries: Chromaticities) -> np.ndarray:
    columns = np.array([_xyz(*primaries[i : i + 2]) for i in (0, 2, 4)]).T
    return columns * np.linalg.solve(columns, _white(primaries))


def _luminance(primaries: Chromaticities) -> np.ndarray:
    return _to_xyz(primaries)[1].astype(np.float32)


def _white(primaries: Chromaticities) -> np.ndarray:
    return _xyz(*primaries[6:])


def _xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1, (1 - x - y) / y])
