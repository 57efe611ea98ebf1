"""Color: sRGB <-> CIE L*a*b* on tensors, and the scaling between Lab and the nets.

Everything else in the package sees colors only through these functions. They are differentiable
torch code, in float32 on any device. Matrices are applied plane by plane, because a matrix product
would drop to bf16 or TF32 under autocast. A curve of two pieces, which meet at a knee, is the sum
of both, the input of each clamped there: torch.where alone costs more than the rest (2.7 ns a value
against 0.1, CPU).
"""

import torch
from torch import Tensor

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
_XYZ_TO_LINEAR: _Matrix = tuple(
    map(tuple, torch.tensor(LINEAR_TO_XYZ, dtype=torch.float64).inverse().tolist())
)

# Linear RGB this far outside [0, 1] counts as inside: rounding noise and, at the top, the 8e-5 by
# which (100, 0, 0) misses sRGB white with these constants. At black more would show: there red and
# green a little below 0 leave room for four times as much blue.
_BOTTOM, _TOP = -4e-6, 1 + 2e-4
_BISECTIONS = 9  # a compressed color loses at most 1/512 of its chroma more than it must


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB (..., 3, H, W) in [0, 1] to L*a*b* (..., 3, H, W), float32.

    L* is in [0, 100], a* and b* within about +-108 (D65, 2 deg observer). Raises ValueError when
    the channel axis is not 3, TypeError on integers. Source: IEC 61966-2-1, CIE 15:2004.
    """
    fx, fy, fz = _cie_f(_mix(LINEAR_TO_XYZ, srgb_to_linear(_checked(rgb, "rgb")))).unbind(-3)
    return torch.stack((116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)), -3)


def lab_to_rgb(lab: Tensor) -> Tensor:
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


def compress_chroma(lab: Tensor) -> Tensor:
    """Scale a*, b* of the colors that sRGB cannot show, at constant L* and hue, until it can.

    lab (..., 3, H, W) -> the same shape; colors inside sRGB come back as they are. The gradient
    takes the scale as a constant.
    """
    lab = _checked(lab, "lab")
    where = _outside(_linear(lab))
    return _put(lab.clone(), where, _fit(_pick(lab, where))) if len(where) else lab


def rgb_to_net(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Split sRGB (B, 3, H, W) in [0, 1] into L (B, 1, H, W), ab (B, 2, H, W), both in [-1, 1]."""
    lab = rgb_to_lab(rgb)  # (B, 3, H, W)
    return lab[..., :1, :, :] / 50 - 1, lab[..., 1:, :, :] / AB_SCALE


def net_to_rgb(L: Tensor, ab: Tensor) -> Tensor:
    """Join the nets' L (B, 1, H, W) and ab (B, 2, H, W) to sRGB (B, 3, H, W) in [0, 1]."""
    return lab_to_rgb(torch.cat((L.float() * 50 + 50, ab.float() * AB_SCALE), -3))


@torch.no_grad()
def rgb8_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB (H, W, 3) uint8 to L*a*b* (3, H, W) float32."""
    planes = torch.empty(3, *rgb.shape[:2], device=rgb.device)
    return rgb_to_lab(planes.copy_(rgb.permute(2, 0, 1)).div_(255))


@torch.no_grad()
def lab_to_rgb8(lab: Tensor) -> Tensor:
    """Convert L*a*b* (3, H, W) to sRGB (H, W, 3) uint8, as `lab_to_rgb`, rounded."""
    return lab_to_rgb(lab).mul_(255).round_().to(torch.uint8).permute(1, 2, 0)


def _checked(image: Tensor, name: str) -> Tensor:
    if not image.is_floating_point():
        raise TypeError(f"{name} is {image.dtype}; convert it to float first, RGB to [0, 1]")
    if image.ndim < 3 or image.shape[-3] != 3:
        raise ValueError(f"{name} has shape {tuple(image.shape)}; it must be (..., 3, H, W)")
    return image.float()


def _mix(matrix: _Matrix, image: Tensor) -> Tensor:
    """Multiply the channels (..., 3, H, W) by the rows of a matrix, exact under autocast too."""
    p, q, r = image.unbind(-3)
    return torch.stack([(p * u).add_(q, alpha=v).add_(r, alpha=w) for u, v, w in matrix], -3)


def _power(x: Tensor, exponent: float) -> Tensor:
    return x.log2().mul_(exponent).exp2_()  # twice as fast as torch.pow


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Undo the gamma of sRGB in [0, 1] -> linear RGB in [0, 1]."""
    knee = 0.0404482  # where the two pieces meet: 12.92 * 0.00313067
    line = rgb.clamp(max=knee).sub_(knee).div_(12.92)
    return line.add_(_power(rgb.clamp(min=knee).add_(0.055), 2.4), alpha=1.055**-2.4)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Apply the gamma of sRGB: linear RGB -> sRGB; rounding noise outside [0, 1] is clipped."""
    knee = 0.0031306684
    line = linear.clamp(max=knee).mul_(12.92).sub_(12.92 * knee + 0.055)
    return line.add_(_power(linear.clamp(min=knee), 1 / 2.4), alpha=1.055).clamp(0, 1)


def _cie_f(xyz: Tensor) -> Tensor:
    """XYZ relative to white -> f(XYZ) of CIE 15: the cube root, with a line near black."""
    knee = 0.008856
    line = xyz.clamp(max=knee).sub_(knee).mul_(7.787)
    return line.add_(_power(xyz.clamp(min=knee), 1 / 3))


def _cie_f_inverse(f: Tensor) -> Tensor:
    """Invert `_cie_f`: f(XYZ) -> XYZ relative to white."""
    knee = 0.2068966
    return f.clamp(min=knee).pow(3).add_(f.clamp(max=knee).sub_(knee), alpha=1 / 7.787)


def _linear(lab: Tensor) -> Tensor:
    """L*a*b* (..., 3, H, W) -> linear RGB, outside [0, 1] where sRGB cannot show the color."""
    L, a, b = lab.unbind(-3)
    fy = (L + 16) / 116
    f = torch.stack((torch.add(fy, a, alpha=1 / 500), fy, torch.sub(fy, b, alpha=1 / 200)), -3)
    return _mix(_XYZ_TO_LINEAR, _cie_f_inverse(f))


def _outside(linear: Tensor) -> Tensor:
    """Find the pixels whose linear RGB (..., 3, H, W) sRGB cannot show -> flat positions (N,)."""
    linear = linear.detach()
    low, high = torch.aminmax(linear)
    if low >= _BOTTOM and high <= _TOP:
        return torch.empty(0, dtype=torch.long, device=linear.device)
    room = torch.minimum(linear.amin(-3) - _BOTTOM, _TOP - linear.amax(-3))
    return (room < 0).flatten().nonzero().flatten()


def _pick(image: Tensor, where: Tensor) -> Tensor:
    """Take the pixels at flat positions (N,) out of an image (..., 3, H, W) -> (3, N, 1)."""
    return image.movedim(-3, 0).flatten(1).index_select(1, where)[..., None]


def _put(image: Tensor, where: Tensor, pixels: Tensor) -> Tensor:
    """Put pixels (3, N, 1) at flat positions (N,) of an image, which may be overwritten."""
    planes = image.movedim(-3, 0)
    flat = planes.flatten(1).index_copy_(1, where, pixels[..., 0])
    return flat.view(planes.shape).movedim(0, -3)


def _fit(colors: Tensor) -> Tensor:
    """Shrink the chroma of colors (3, N, 1) outside sRGB to its boundary."""
    L, ab = colors[:1], colors[1:]
    with torch.no_grad():
        fy = (L.flatten() + 16) / 116
        step_xz = ab.flatten(1) * ab.new_tensor([[1 / 500], [-1 / 200]])
        scale = _largest_scale(fy, step_xz)[:, None]
    return torch.cat((L, ab * scale))


def _largest_scale(fy: Tensor, step_xz: Tensor) -> Tensor:
    """Find by bisection how far colors outside sRGB may go from gray: a factor (N,) in [0, 1).

    fy (N,) is f(Y), step_xz (2, N) what is added to it for f(X) and f(Z) at full chroma. What
    depends on fy alone is computed once, and linear RGB is taken about the middle of the gamut,
    where one comparison tests both sides.
    """
    to_rgb = torch.tensor(_XYZ_TO_LINEAR, device=fy.device)[..., None]  # (3, 3, 1)
    # half the tolerance, so that the result counts as inside
    middle, radius = (1 + _TOP + _BOTTOM) / 4, (1 + _TOP - _BOTTOM) / 4
    of_y = to_rgb[:, 1] * _cie_f_inverse(fy) - middle  # (3, N)
    scale = torch.zeros_like(fy)
    for k in range(1, _BISECTIONS + 1):
        x, z = _cie_f_inverse(torch.addcmul(fy, step_xz, scale + 0.5**k))
        centered = torch.addcmul(of_y, to_rgb[:, 0], x).addcmul_(to_rgb[:, 2], z)
        distance = centered.abs_().amax(0)
        scale.add_(torch.le(distance, radius, out=distance), alpha=0.5**k)
    return scale
