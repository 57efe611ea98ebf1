"""Color: sRGB <-> CIE L*a*b* on tensors, and the scaling between Lab and the nets.

Everything else in the package sees colors only through these functions. They are plain
differentiable torch code, in float32 on any device; matrices are applied plane by plane, because
a matrix product would drop to bf16 or TF32 under autocast.
"""

import torch
from torch import Tensor

AB_SCALE = 110.0  # a* and b* of sRGB colors lie within about +-108
"""The nets' ab is a*, b* divided by this."""

# The constants of skimage 0.26, our oracle: sRGB primaries, D65, 2 deg observer.
_XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = (0.95047, 1.0, 1.08883)
_TO_WHITE = tuple(
    tuple(v / w for v in row) for row, w in zip(_XYZ_FROM_RGB, _WHITE, strict=True)
)  # linear RGB -> XYZ relative to white
_FROM_WHITE = tuple(map(tuple, torch.tensor(_TO_WHITE, dtype=torch.float64).inverse().tolist()))

# Linear RGB this far outside [0, 1] counts as inside: rounding noise and, at the top, the 8e-5 by
# which (100, 0, 0) misses sRGB white with these constants. Both are under 0.1 of an 8-bit level.
_BELOW, _ABOVE = 2e-5, 2e-4
_STEPS = 12  # bisections of chroma: to 1/4096 of the way to gray


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB (..., 3, H, W) in [0, 1] to L*a*b* (..., 3, H, W), float32.

    L* is in [0, 100], a* and b* within about +-108 (D65, 2 deg observer). Raises ValueError when
    the channel axis is not 3, TypeError on integers. Source: IEC 61966-2-1, CIE 15:2004.
    """
    rgb = _checked(rgb, "rgb")
    linear = torch.where(rgb > 0.04045, ((rgb.clamp(min=0.04) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = _mix(_TO_WHITE, linear)
    # The clamp keeps the unused branch of the gradient finite at black.
    f = torch.where(xyz > 0.008856, xyz.clamp(min=0.008) ** (1 / 3), 7.787 * xyz + 16 / 116)
    fx, fy, fz = f.unbind(-3)
    return torch.stack((116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)), -3)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert L*a*b* (..., 3, H, W) to sRGB (..., 3, H, W) in [0, 1], float32.

    Colors outside sRGB lose chroma at constant L* and hue until they fit; RGB is never clipped
    (beyond rounding noise). L* outside [0, 100] becomes black or white. Raises as `rgb_to_lab`.
    """
    return _encode(_linear(compress_chroma(lab)).clamp(0, 1))


def compress_chroma(lab: Tensor) -> Tensor:
    """Scale a*, b* of the colors that sRGB cannot show, at constant L* and hue, until it can.

    lab (..., 3, H, W) -> the same shape; colors inside sRGB come back as they are. The scale is
    constant for the gradient.
    """
    lab = _checked(lab, "lab")
    with torch.no_grad():
        outside = ~_inside(_linear(lab))
        colors = lab.movedim(-3, -1)[outside].movedim(-1, 0)[..., None]  # (3, N, 1)
        low = torch.zeros_like(colors[:1])
        for step in range(1, _STEPS + 1):
            trial = low + 0.5**step
            fits = _inside(_linear(torch.cat((colors[:1], trial * colors[1:]))))
            low = torch.where(fits, trial, low)
        scale = torch.ones_like(lab[..., 0, :, :])
        scale[outside] = low.flatten()
    return torch.cat((lab[..., :1, :, :], lab[..., 1:, :, :] * scale.unsqueeze(-3)), -3)


def rgb_to_net(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Split sRGB (B,3,H,W) in [0, 1] into the nets' L (B,1,H,W) and ab (B,2,H,W) in [-1, 1]."""
    lab = rgb_to_lab(rgb)
    return lab[..., :1, :, :] / 50 - 1, lab[..., 1:, :, :] / AB_SCALE


def net_to_rgb(L: Tensor, ab: Tensor) -> Tensor:
    """Join the nets' L (B,1,H,W) and ab (B,2,H,W) in [-1, 1] to sRGB (B,3,H,W) in [0, 1]."""
    return lab_to_rgb(torch.cat((L.float() * 50 + 50, ab.float() * AB_SCALE), -3))


def _checked(image: Tensor, name: str) -> Tensor:
    if not image.is_floating_point():
        raise TypeError(f"{name} is {image.dtype}; convert it to float in [0, 1] first")
    if image.ndim < 3 or image.shape[-3] != 3:
        raise ValueError(f"{name} has shape {tuple(image.shape)}; it must be (..., 3, H, W)")
    return image.float()


def _mix(matrix: tuple[tuple[float, ...], ...], image: Tensor) -> Tensor:
    """Multiply the channels (..., 3, H, W) by a 3x3 matrix, in float32 also under autocast."""
    p, q, r = image.unbind(-3)
    return torch.stack([p * u + q * v + r * w for u, v, w in matrix], -3)


def _linear(lab: Tensor) -> Tensor:
    """L*a*b* -> linear RGB, outside [0, 1] where sRGB cannot show the color."""
    L, a, b = lab.unbind(-3)
    fy = (L + 16) / 116
    f = torch.stack((fy + a / 500, fy, fy - b / 200), -3)
    return _mix(_FROM_WHITE, torch.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787))


def _inside(linear: Tensor) -> Tensor:
    """Whether linear RGB (..., 3, H, W) is an sRGB color -> bool (..., H, W)."""
    return (linear.amin(-3) >= -_BELOW) & (linear.amax(-3) <= 1 + _ABOVE)


def _encode(linear: Tensor) -> Tensor:
    """Linear RGB in [0, 1] -> sRGB in [0, 1]."""
    return torch.where(
        linear > 0.0031308, 1.055 * linear.clamp(min=0.003) ** (1 / 2.4) - 0.055, linear * 12.92
    )
