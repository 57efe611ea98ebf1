"""Metrics: how close a colored photo is to the true one, and how colorful it is.

Plain functions on batches, one value per picture, so that a mean never hides one failure. None of
them means anything alone: a gray copy of the photo already scores 22 dB, so `evaluate.evaluate`
prints them beside a gray and a sepia row.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix.color import rgb_to_lab

_SIGMA, _RADIUS = 1.5, 5  # of the SSIM window: Wang 2004, 11x11


def psnr(fake: Tensor, real: Tensor) -> Tensor:
    """Two RGB (B, 3, H, W) in [0, 1] -> peak signal-to-noise ratio (B,) in dB.

    Capped at 100 dB, which identical pictures get, so that means stay finite.
    """
    _check(fake, real)
    error = (fake - real).square().mean(dim=(1, 2, 3))
    return -10 * error.clamp(min=1e-10).log10()


def ssim(fake: Tensor, real: Tensor) -> Tensor:
    """Two RGB (B, 3, H, W) in [0, 1], at least 11x11 -> structural similarity (B,) in [-1, 1].

    Gaussian window of sigma 1.5 and 11x11 pixels, only where it fits whole, mean over the channels:
    skimage's `structural_similarity(gaussian_weights=True, use_sample_covariance=False)`.
    Raises ValueError on smaller pictures. Source: Wang et al. 2004, eq. 13.
    """
    _check(fake, real)
    side = 2 * _RADIUS + 1
    if min(fake.shape[-2:]) < side:
        raise ValueError(f"SSIM needs at least {side}x{side} pixels, got {tuple(fake.shape)}")
    window = torch.arange(-_RADIUS, _RADIUS + 1, device=fake.device, dtype=fake.dtype)
    window = torch.softmax(-window.square() / (2 * _SIGMA**2), dim=0)
    maps = torch.cat([fake, real, fake * fake, real * real, fake * real], dim=1)  # (B, 15, H, W)
    maps = maps.contiguous(memory_format=torch.channels_last)  # half the time, by SIMD over planes
    planes = maps.shape[1]
    maps = F.conv2d(maps, window.view(1, 1, 1, side).repeat(planes, 1, 1, 1), groups=planes)
    maps = F.conv2d(maps, window.view(1, 1, side, 1).repeat(planes, 1, 1, 1), groups=planes)
    maps = maps.contiguous()
    mean_f, mean_r, square_f, square_r, product = maps.chunk(5, dim=1)
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_f * mean_r + c1) / (mean_f**2 + mean_r**2 + c1)
    variances = square_f - mean_f**2 + square_r - mean_r**2
    structure = (2 * (product - mean_f * mean_r) + c2) / (variances + c2)
    return (luminance * structure).mean(dim=(1, 2, 3))


def delta_e2000(fake: Tensor, real: Tensor) -> Tensor:
    """Two RGB (B, 3, H, W) in [0, 1] -> mean CIEDE2000 color difference (B,); 1 is just visible."""
    _check(fake, real)
    return ciede2000(rgb_to_lab(fake), rgb_to_lab(real)).mean(dim=(1, 2))


def ciede2000(lab_1: Tensor, lab_2: Tensor) -> Tensor:
    """Two L*a*b* (..., 3, H, W) -> CIEDE2000 difference of each pixel (..., H, W).

    With kL = kC = kH = 1. Source: Sharma, Wu, Dalal 2005, equations 2 to 22.
    """
    L1, a1, b1 = lab_1.unbind(-3)
    L2, a2, b2 = lab_2.unbind(-3)
    g = 0.5 * (1 - _chroma_weight((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    C1, C2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = (torch.atan2(b, a) % (2 * math.pi) for a, b in ((a1, b1), (a2, b2)))  # [rad]

    turn = h2 - h1
    half = math.pi + 1e-6  # opposite hues do not wrap, however the last bit falls
    turn = torch.where(turn > half, turn - 2 * math.pi, turn)
    turn = torch.where(turn < -half, turn + 2 * math.pi, turn)
    dL, dC = L2 - L1, C2 - C1
    dH = 2 * (C1 * C2).sqrt() * torch.sin(turn / 2)  # 0 where a color has no hue

    L, C, h = (L1 + L2) / 2, (C1 + C2) / 2, h1 + turn / 2
    T = 1 - 0.17 * torch.cos(h - math.radians(30)) + 0.24 * torch.cos(2 * h)
    T = T + 0.32 * torch.cos(3 * h + math.radians(6)) - 0.20 * torch.cos(4 * h - math.radians(63))
    SL = 1 + 0.015 * (L - 50).square() / (20 + (L - 50).square()).sqrt()
    SC, SH = 1 + 0.045 * C, 1 + 0.015 * C * T
    degrees = torch.rad2deg(h) % 360
    theta = math.radians(30) * torch.exp(-((degrees - 275) / 25).square())
    RT = -2 * _chroma_weight(C) * torch.sin(2 * theta)
    dL, dC, dH = dL / SL, dC / SC, dH / SH
    return (dL**2 + dC**2 + dH**2 + RT * dC * dH).clamp(min=0).sqrt()


def colorfulness(rgb: Tensor) -> Tensor:
    """RGB (B, 3, H, W) in [0, 1] -> M (B,) in units of 0..255: 0 is gray, photos are around 40.

    Source: Hasler & Süsstrunk, "Measuring colourfulness in natural images", 2003.
    """
    _check(rgb, rgb)
    red, green, blue = (255 * rgb).flatten(2).unbind(1)  # each (B, H*W)
    rg, yb = red - green, (red + green) / 2 - blue
    spread = (rg.var(1, correction=0) + yb.var(1, correction=0)).sqrt()
    return spread + 0.3 * (rg.mean(1).square() + yb.mean(1).square()).sqrt()


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Two sets of features (N, D) and (M, D) -> distance of the Gaussians fitted to them, >= 0.

    |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)). With A = X'X of the centered rows, the last
    trace is the sum of the singular values of X_a X_b', so no matrix square root is taken and
    fewer rows than columns do no harm. Source: Heusel et al. 2017 (FID), any features.

    Raises ValueError unless both hold at least two rows of the same length.
    """
    a, b = _check_features(features_a, features_b)
    offset = (a.mean(0) - b.mean(0)).square().sum()
    a, b = _deviations(a), _deviations(b)
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return max(0.0, float(offset + a.square().sum() + b.square().sum() - 2 * cross))


def share_closed(model: Tensor, truth: Tensor, gray: Tensor) -> float:
    """Features (N, D) of the same photos colored, true and gray -> share of the distance closed.

    1 - FD(model, truth) / FD(gray, truth): 1 is the truth, 0 no better than gray. The paired form,
    because a few hundred pictures are too few for a Fréchet distance between different pictures.
    """
    return 1 - frechet_distance(model, truth) / frechet_distance(gray, truth)


def kernel_distance(features_a: Tensor, features_b: Tensor, *, paired: bool = False) -> float:
    """Two sets of features (N, D) and (M, D) -> the unbiased squared MMD between them (KID).

    Kernel (x.y / D + 1)^3, over all pairs rather than subsets of 100. Being unbiased, it can fall
    below 0. `paired` when row i of both comes from one photo: then those are no independent draws,
    and left out of the mean over pairs, so that it is unbiased there too, and 0 for equal sets.
    Sources: Binkowski et al. 2018, section 3, any features; Gretton et al. 2012, equations 3 and 4.

    Raises ValueError unless both hold at least two rows of the same length, or as many if paired.
    """
    a, b = _check_features(features_a, features_b)
    if paired and len(a) != len(b):
        raise ValueError(f"Paired features must be as many, got {len(a)} and {len(b)}")

    def off_diagonal(k: Tensor) -> Tensor:
        return (k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1))

    cross = _kernel(a, b)
    between = off_diagonal(cross) if paired else cross.mean()
    return float(off_diagonal(_kernel(a, a)) + off_diagonal(_kernel(b, b)) - 2 * between)


class PairedKernelDistance:
    """`kernel_distance(a[places], b[places], paired=True)` of any rows of two sets, at once.

    Of rows i and j, h = k(a_i, a_j) + k(b_i, b_j) - k(a_i, b_j) - k(a_j, b_i) is computed once, and
    the distance of a subset is the mean of h over its pairs. Source: Gretton et al. 2012, eq. 4.
    Raises ValueError unless both hold as many rows, at least two, of the same length.
    """

    def __init__(self, features_a: Tensor, features_b: Tensor):
        a, b = _check_features(features_a, features_b)
        if len(a) != len(b):
            raise ValueError(f"Paired features must be as many, got {len(a)} and {len(b)}")
        cross = _kernel(a, b)
        self.of_pairs = _kernel(a, a).add_(_kernel(b, b)).sub_(cross).sub_(cross.T)  # (N, N)
        self.of_pairs.fill_diagonal_(0)

    def __call__(self, places: Tensor) -> float:
        """The distance of the rows at `places`, int64 (n,) without repetition, n at least 2."""
        count = len(places)
        chosen = self.of_pairs.new_zeros(len(self.of_pairs)).index_fill_(0, places, 1)
        return float(chosen @ self.of_pairs @ chosen / (count * (count - 1)))


def _check(fake: Tensor, real: Tensor) -> None:
    if fake.ndim != 4 or fake.shape[1] != 3 or fake.shape != real.shape:
        shapes = f"{tuple(fake.shape)} and {tuple(real.shape)}"
        raise ValueError(f"Pictures must be two rgb batches (B, 3, H, W), got {shapes}")
    if not (fake.is_floating_point() and real.is_floating_point()):
        raise TypeError(f"Pictures must be floats in [0, 1], got {fake.dtype} and {real.dtype}")


def _check_features(features_a: Tensor, features_b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in double precision on CPU, or ValueError."""
    shapes = tuple(features_a.shape), tuple(features_b.shape)
    if any(len(s) != 2 or s[0] < 2 for s in shapes) or shapes[0][1] != shapes[1][1]:
        raise ValueError(f"Features must be (N, D) and (M, D) with N, M >= 2, got {shapes}")
    return features_a.detach().double().cpu(), features_b.detach().double().cpu()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """(N, D) and (M, D) -> (x.y / D + 1)^3 of all pairs (N, M)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def _chroma_weight(chroma: Tensor) -> Tensor:
    cube = chroma * chroma * chroma
    seventh = cube * cube * chroma  # a tenth of the time of chroma**7
    return (seventh / (seventh + 25.0**7)).sqrt()


def _deviations(rows: Tensor) -> Tensor:
    """(N, D) -> X with X'X the covariance; at most D rows, through QR."""
    centered = (rows - rows.mean(0)) / (len(rows) - 1) ** 0.5
    return torch.linalg.qr(centered, mode="r").R if len(rows) > rows.shape[1] else centered
