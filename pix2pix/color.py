"""Color: sRGB <-> CIE L*a*b* of numpy arrays and tensors, and the scaling between Lab and the nets.

Everything else in the package sees colors only through these functions, in float32: an array gives
an array, a tensor a tensor on its device, differentiably. Matrices are applied plane by plane,
because a matrix product would drop to bf16 or TF32 under autocast. A curve of two pieces, which
meet at a knee, is the sum of both, the input of each clipped there: torch.where alone costs more
than the rest (2.7 ns a value against 0.1, CPU).
"""

import sys
from math import inf
from typing import Any, TypeVar

import numpy as np

Array = TypeVar("Array", bound=Any)  # np.ndarray or torch.Tensor

AB_SCALE = 110.0
"""The nets' ab is a*, b* divided by this, so that it lies in [-1, 1]: sRGB colors reach 108."""

# The constants of skimage 0.26, our oracle: X, Y, Z of the sRGB primaries; D65, 2 deg observer.
_PRIMARIES = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = (0.95047, 1.0, 1.08883)

_Matrix = tuple[tuple[float, ...], ...]
LINEAR_TO_XYZ: _Matrix = tuple(  # relative to white: (1, 1, 1) -> (1, 1, 1)
    tuple(v / w for v in row) for row, w in zip(_PRIMARIES, _WHITE, strict=True)
)
_XYZ_TO_LINEAR: _Matrix = tuple(map(tuple, np.linalg.inv(np.array(LINEAR_TO_XYZ)).tolist()))

# Linear RGB this far outside [0, 1] counts as inside: rounding noise and, at the top, the 8e-5 by
# which (100, 0, 0) misses sRGB white with these constants. At black more would show: there red and
# green a little below 0 leave room for four times as much blue.
_BOTTOM, _TOP = -4e-6, 1 + 2e-4
_BISECTIONS = 9  # a compressed color loses at most 1/512 of its chroma more than it must


def rgb_to_lab(rgb: Array) -> Array:
    """Convert sRGB (..., 3, H, W) in [0, 1] to L*a*b* (..., 3, H, W), float32.

    L* is in [0, 100], a* and b* within about +-108 (D65, 2 deg observer). Raises ValueError when
    the channel axis is not 3, TypeError on integers. Source: IEC 61966-2-1, CIE 15:2004.
    """
    library = _library(rgb)
    f = _cie_f(_mix(LINEAR_TO_XYZ, srgb_to_linear(_checked(rgb, "rgb"))))
    fx, fy, fz = library.moveaxis(f, -3, 0)
    return library.stack((116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)), -3)


def lab_to_rgb(lab: Array) -> Array:
    """Convert L*a*b* (..., 3, H, W) to sRGB (..., 3, H, W) in [0, 1], float32.

    Colors outside sRGB lose chroma at constant L* and hue until they fit; RGB is never clipped
    (beyond rounding noise). L* outside [0, 100] becomes black or white. Raises as `rgb_to_lab`.
    """
    lab = _checked(lab, "lab")
    linear = _linear(lab)
    where = _outside(linear)
    if len(where):
        linear = _put(linear, where, _linear(_fit(_pick(lab, where))))
    return linear_to_srgb(linear)


def compress_chroma(lab: Array) -> Array:
    """Scale a*, b* of the colors that sRGB cannot show, at constant L* and hue, until it can.

    lab (..., 3, H, W) -> the same shape; colors inside sRGB come back as they are. The gradient
    takes the scale as a constant.
    """
    lab = _checked(lab, "lab")
    where = _outside(_linear(lab))
    return _put(lab * 1, where, _fit(_pick(lab, where))) if len(where) else lab


def rgb_to_net(rgb: Array) -> tuple[Array, Array]:
    """Split sRGB (B, 3, H, W) in [0, 1] into L (B, 1, H, W), ab (B, 2, H, W), both in [-1, 1]."""
    lab = rgb_to_lab(rgb)  # (B, 3, H, W)
    return lab[..., :1, :, :] / 50 - 1, lab[..., 1:, :, :] / AB_SCALE


def net_to_rgb(L: Array, ab: Array) -> Array:
    """Join the nets' L (B, 1, H, W) and ab (B, 2, H, W) to sRGB (B, 3, H, W) in [0, 1]."""
    lab = _library(L).concatenate((_float32(L) * 50 + 50, _float32(ab) * AB_SCALE), -3)
    return lab_to_rgb(lab)


def rgb8_to_lab(rgb: Array) -> Array:
    """Convert sRGB (H, W, 3) uint8 to L*a*b* (3, H, W) float32."""
    library = _library(rgb)
    planes = library.empty((3, *rgb.shape[:2]), dtype=library.float32, device=rgb.device)
    planes[:] = library.moveaxis(rgb, -1, 0)
    planes /= 255
    return rgb_to_lab(planes)


def lab_to_rgb8(lab: Array) -> Array:
    """Convert L*a*b* (3, H, W) to sRGB (H, W, 3) uint8, as `lab_to_rgb`, rounded."""
    library = _library(lab)
    rgb = lab_to_rgb(_constant(lab))
    rgb *= 255
    library.round(rgb, out=rgb)
    return library.moveaxis(library.asarray(rgb, dtype=library.uint8), 0, -1)


def _checked(image: Array, name: str) -> Array:
    if "float" not in str(image.dtype):
        raise TypeError(f"{name} is {image.dtype}; convert it to float first, RGB to [0, 1]")
    if image.ndim < 3 or image.shape[-3] != 3:
        raise ValueError(f"{name} has shape {tuple(image.shape)}; it must be (..., 3, H, W)")
    return _float32(image)


def _mix(matrix: _Matrix, image: Array) -> Array:
    """Multiply the channels (..., 3, H, W) by the rows of a matrix, exact under autocast too."""
    p, q, r = _library(image).moveaxis(image, -3, 0)
    rows = [_add(_add(p * u, q, v), r, w) for u, v, w in matrix]
    return _library(image).stack(rows, -3)


def _power(x: Array, exponent: float) -> Any:
    """x**exponent, twice as fast as torch.pow."""
    power: Any = _library(x).log2(x)
    power *= exponent
    return np.exp2(power, out=power) if isinstance(power, np.ndarray) else power.exp2_()


def srgb_to_linear(rgb: Array) -> Array:
    """Undo the gamma of sRGB in [0, 1] -> linear RGB in [0, 1]."""
    knee = 0.0404482  # where the two pieces meet: 12.92 * 0.00313067
    line, curve = _clip(rgb, high=knee), _clip(rgb, knee)
    line -= knee
    line /= 12.92
    curve += 0.055
    return _add(line, _power(curve, 2.4), 1.055**-2.4)


def linear_to_srgb(linear: Array) -> Array:
    """Apply the gamma of sRGB: linear RGB -> sRGB; rounding noise outside [0, 1] is clipped."""
    knee = 0.0031306684
    line = _clip(linear, high=knee)
    line *= 12.92
    line -= 12.92 * knee + 0.055
    return _add(line, _power(_clip(linear, knee), 1 / 2.4), 1.055).clip(0, 1)


def _cie_f(xyz: Array) -> Array:
    """XYZ relative to white -> f(XYZ) of CIE 15: the cube root, with a line near black."""
    knee = 0.008856
    line = _clip(xyz, high=knee)
    line -= knee
    line *= 7.787
    line += _power(_clip(xyz, knee), 1 / 3)
    return line


def _cie_f_inverse(f: Array) -> Array:
    """Invert `_cie_f`: f(XYZ) -> XYZ relative to white."""
    knee = 0.2068966
    line = _clip(f, high=knee)
    line -= knee
    return _add(_cube(_clip(f, knee)), line, 1 / 7.787)


def _linear(lab: Array) -> Array:
    """L*a*b* (..., 3, H, W) -> linear RGB, outside [0, 1] where sRGB cannot show the color."""
    library = _library(lab)
    L, a, b = library.moveaxis(lab, -3, 0)
    fy = (L + 16) / 116
    f = library.stack((_sum(fy, a, 1 / 500), fy, _sum(fy, b, -1 / 200)), -3)
    return _mix(_XYZ_TO_LINEAR, _cie_f_inverse(f))


def _outside(linear: Array) -> Array:
    """Find the pixels whose linear RGB (..., 3, H, W) sRGB cannot show -> flat positions (N,)."""
    library = _library(linear)
    linear = _constant(linear)
    low, high = (linear.min(), linear.max()) if library is np else linear.aminmax()
    if low >= _BOTTOM and high <= _TOP:
        return library.empty(0, dtype=library.int64, device=linear.device)
    room = library.minimum(library.amin(linear, -3) - _BOTTOM, _TOP - library.amax(linear, -3))
    return library.argwhere((room < 0).reshape(-1))[:, 0]


def _pick(image: Array, where: Array) -> Array:
    """Take the pixels at flat positions (N,) out of an image (..., 3, H, W) -> (3, N, 1)."""
    flat = _library(image).moveaxis(image, -3, 0).reshape(3, -1)
    if isinstance(flat, np.ndarray):
        return flat.take(where, 1)[..., None]
    return flat.index_select(1, where)[..., None]


def _put(image: Array, where: Array, pixels: Array) -> Array:
    """Put pixels (3, N, 1) at flat positions (N,) of an image, which may be overwritten."""
    planes = _library(image).moveaxis(image, -3, 0)
    flat = planes.reshape(3, -1)
    if isinstance(flat, np.ndarray):
        flat[:, where] = pixels[..., 0]
    else:
        flat.index_copy_(1, where, pixels[..., 0])
    return _library(image).moveaxis(flat.reshape(planes.shape), 0, -3)


def _fit(colors: Array) -> Array:
    """Shrink the chroma of colors (3, N, 1) outside sRGB to its boundary."""
    L, ab = colors[:1], colors[1:]
    fixed, library = _constant(colors)[..., 0], _library(colors)
    to_f = library.asarray([[1 / 500], [-1 / 200]], dtype=library.float32, device=colors.device)
    scale = _largest_scale((fixed[0] + 16) / 116, fixed[1:] * to_f)
    return library.concatenate((L, ab * scale[:, None]), 0)


def _largest_scale(fy: Array, step_xz: Array) -> Array:
    """Find by bisection how far colors outside sRGB may go from gray: a factor (N,) in [0, 1).

    fy (N,) is f(Y), step_xz (2, N) what is added to it for f(X) and f(Z) at full chroma. What
    depends on fy alone is computed once, and linear RGB is taken about the middle of the gamut,
    where one comparison tests both sides.
    """
    library = _library(fy)
    to_rgb = library.asarray(_XYZ_TO_LINEAR, dtype=library.float32, device=fy.device)[..., None]
    # half the tolerance, so that the result counts as inside
    middle, radius = (1 + _TOP + _BOTTOM) / 4, (1 + _TOP - _BOTTOM) / 4
    of_y = to_rgb[:, 1] * _cie_f_inverse(fy) - middle  # (3, N)
    scale = library.zeros_like(fy)
    for k in range(1, _BISECTIONS + 1):
        x, z = _cie_f_inverse(_sum(fy, step_xz, scale + 0.5**k))
        centered = _add(_sum(of_y, to_rgb[:, 0], x), to_rgb[:, 2], z)
        distance = library.amax(library.abs(centered, out=centered), 0)
        scale = _add(scale, library.less_equal(distance, radius, out=distance), 0.5**k)
    return scale


# The two libraries. A tensor's own methods keep its gradient, and compute in one pass.


def _library(x: Array) -> Any:
    """The functions for `x`: of numpy, or of torch, which whoever made a tensor has imported."""
    return np if isinstance(x, np.ndarray) else sys.modules["torch"]


def _float32(x: Array) -> Any:
    return x.astype(np.float32, copy=False) if isinstance(x, np.ndarray) else x.float()


def _clip(x: Array, low: float = -inf, high: float = inf) -> Any:
    if isinstance(x, np.ndarray):
        return x.clip(low, high)  # with one bound it takes three times as long
    return x.clip(min=low) if high == inf else x.clip(max=high)


def _constant(x: Array) -> Array:
    return x if isinstance(x, np.ndarray) else x.detach()


def _sum(x: Array, y: Array, factor: Any, place: str = "") -> Any:
    """x + y * factor, which is a number or of y's kind; with place="_" in the place of x."""
    if isinstance(x, np.ndarray):
        return np.add(x, y * factor, out=x if place else None)
    if isinstance(factor, float):
        return getattr(x, "add" + place)(y, alpha=factor)
    return getattr(x, "addcmul" + place)(y, factor)


def _add(x: Array, y: Array, factor: Any) -> Any:
    return _sum(x, y, factor, "_")


def _cube(x: Array) -> Any:
    return x * x * x if isinstance(x, np.ndarray) else x.pow(3)
