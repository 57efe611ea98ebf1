"""Fit what tells a gray photo from its negative, and write it into weights.

    python scripts/fit_polarity.py WEIGHTS.safetensors DATA [--dest FILE] [--count 4000] [--val DIR]

A logistic regression on what the net's encoder sees of a photo at a glance, less what it sees of
its negative (`BackboneUNet.glimpse`), on photographs of DATA, some of them aged as film, of many
contrasts. With --val it prints, of those photographs, how many would be taken for negatives, and
how many of their negatives are found, at several thresholds.
Source: Cox 1958, https://doi.org/10.1111/j.2517-6161.1958.tb00292.x.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix import weights
from pix2pix.colorize.model import net_size
from pix2pix.data.photos import Photos, prepare
from pix2pix.nets import build_generator

RIDGE = 0.01  # weight of the squared coefficients of scaled differences, a photo
FILM = 0.3  # share of the photos to fit to that age
TONE = 0.3  # standard deviation of log gamma
THRESHOLDS = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)  # log odds


def lightness(photos: Photos, count: int, *, area: int, film: float) -> Iterator[Tensor]:
    """Photos in gray, whole, as a net of that input area sees them: L (1, 1, h, w) in [-1, 1]."""
    for i in np.random.default_rng(0).permutation(len(photos))[:count]:
        rgb = torch.from_numpy(photos.picture(i).copy()).permute(2, 0, 1)[None]
        L = prepare(rgb, np.array([i]), film=film).L
        size = net_size(*L.shape[-2:], area=area, multiple=32)
        yield F.interpolate(L, size, mode="bilinear", antialias=True).clamp(-1, 1)


@torch.inference_mode()
def differences(net: nn.Module, pictures: Iterator[Tensor]) -> Tensor:
    """What the net sees of photos, less what it sees of their negatives (N, F), float64."""
    rng, found = np.random.default_rng(0), []
    for L in pictures:
        L = 2 * ((L + 1) / 2) ** float(np.exp(rng.normal(0, TONE))) - 1
        photo, negative = net.glimpse(torch.cat([L, -L])).flatten(1)  # type: ignore[operator]
        found.append((photo - negative).double())
    return torch.stack(found)


def fit(x: Tensor, ridge: float = RIDGE) -> Tensor:
    """Differences x (N, F) -> coefficients w (F,), for which x @ w is above 0: by Newton."""
    scale = x.square().mean(0).sqrt() + 1e-6
    x = x / scale
    w = x.new_zeros(x.shape[1])
    penalty = ridge * len(x) * torch.eye(len(w), dtype=x.dtype)
    for _ in range(30):
        p = torch.sigmoid(x @ w)
        gradient = x.T @ (p - 1) + ridge * len(x) * w
        step = torch.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) + penalty, gradient)
        w = w - step
        if step.abs().max() < 1e-6:
            break
    return w / scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("data")
    parser.add_argument("--dest", type=Path, help="the file to write, else WEIGHTS")
    parser.add_argument("--cache", default=".cache/pix2pix")
    parser.add_argument("--side", type=int, default=256, help="short side of the cached photos")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--val")
    args = parser.parse_args()
    old, header = weights.load(args.weights)
    header.generator = {**header.generator, "tells_negatives": True}
    net = build_generator(header.generator).eval()
    weights.grow(net, old.state_dict())

    def seen(source: str, split: str, count: int, film: float) -> Tensor:
        settings = {"cache": args.cache, "size": 128, "cached_side": args.side}
        photos = Photos(source, split=split, **settings)
        return differences(net, lightness(photos, count, area=header.area, film=film))

    found = seen(args.data, "train", args.count, FILM)
    coefficients = fit(found)
    net.positive.weight.data.copy_(coefficients.view(1, -1, 1, 1))  # type: ignore[union-attr]
    weights.save(args.dest or args.weights, net, header, dtype=torch.float16)
    print(f"{args.dest or args.weights}: fitted to {len(found)} photos")
    if args.val:
        odds = seen(args.val, "all", 10**6, 0.0) @ coefficients
        for least in THRESHOLDS:
            print(
                f"log odds above {least:g}: {int((odds < -least).sum())} of {len(odds)} photos are "
                f"taken for negatives, {(odds > least).double().mean():.0%} of negatives are found"
            )


if __name__ == "__main__":
    main()
