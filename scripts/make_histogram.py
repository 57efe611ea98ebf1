"""Draw resources/course/histogram.jpg: how often each color (a*, b*) occurs in photographs.

    python scripts/make_histogram.py PHOTOS HELD_OUT

Beside it, histogram.json holds what the course says of it: the median color of the folder PHOTOS,
and how close to the photographs of the folder HELD_OUT no color, this median and false hues come.
Both files hold statistics alone; no photograph can be told from them.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pix2pix import color, metrics
from pix2pix.data import GRAY_BELOW

OUT = Path(__file__).resolve().parent.parent / "resources" / "course"
REACH = 80  # |a*|, |b*| of the drawing's edge
STRIDE = 4  # every fourth pixel of every fourth row is counted
BINS = np.arange(-110, 110.5, 0.5)  # fine enough for a median


def photographs(folder: Path) -> Iterator[Tensor]:
    """The colored photographs of a folder, as sRGB (1, 3, H, W) in [0, 1], in order of names."""
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            photo = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 255
        if metrics.colorfulness(photo[..., ::STRIDE, ::STRIDE]).item() >= GRAY_BELOW:
            yield photo


def count(folder: Path) -> tuple[np.ndarray, int]:
    """Pixels in every bin of (a*, b*), and the number of photographs counted."""
    counts, photos = np.zeros((len(BINS) - 1,) * 2), 0
    for photo in photographs(folder):
        lab = color.rgb_to_lab(photo[0, :, ::STRIDE, ::STRIDE])
        a, b = lab[1].flatten().numpy(), lab[2].flatten().numpy()
        counts += np.histogram2d(a, b, bins=[BINS, BINS])[0] / len(a)  # each photo counts alike
        photos += 1
    return counts, photos


def median(counts: np.ndarray) -> float:
    """The median of counts along one axis of the bins."""
    below = np.cumsum(counts) / counts.sum()
    return float(np.interp(0.5, below, BINS[1:]))


def baselines(folder: Path, tint: list[float]) -> dict[str, dict[str, float]]:
    """PSNR [dB] and colorfulness (as a share of the truth's) of answers that know nothing."""
    rows: dict[str, list[list[float]]] = {"gray": [], "sepia": [], "hues turned": []}
    for photo in photographs(folder):
        L, ab = color.rgb_to_net(photo)
        answers = {
            "gray": torch.zeros_like(ab),
            "sepia": (torch.tensor(tint) / 110).view(1, 2, 1, 1).expand_as(ab),
            "hues turned": torch.stack([-ab[:, 1], ab[:, 0]], 1),  # by 90 degrees
        }
        for name, answer in answers.items():
            fake = color.net_to_rgb(L, answer)
            pair = metrics.psnr(fake, photo), metrics.colorfulness(fake)
            rows[name].append([*(x.item() for x in pair), metrics.colorfulness(photo).item()])
    means = {name: np.mean(values, axis=0) for name, values in rows.items()}
    return {
        name: {"psnr": round(psnr, 2), "color": round(fake / real, 3)}
        for name, (psnr, fake, real) in means.items()
    } | {"photos": len(rows["gray"])}


def draw(counts: np.ndarray, tint: list[float], path: Path) -> None:
    """The plane, every color as bright as it is frequent, on a logarithmic scale."""
    centers = (BINS[1:] + BINS[:-1]) / 2
    inside = np.abs(centers) < REACH
    shares = counts[np.ix_(inside, inside)].T / counts.sum()  # rows b*, columns a*
    shares = shares.reshape(len(shares) // 2, 2, -1, 2).sum((1, 3))  # 1 x 1
    bright = torch.from_numpy(np.clip(np.log10(np.maximum(shares, 1e-9) / 1e-6) / 4, 0, 1)).float()
    axis = torch.linspace(-REACH, REACH, len(shares) + 1)[:-1] + 0.5
    b, a = torch.meshgrid(axis, axis, indexing="ij")
    strength = (3 * bright).clamp(max=1)  # fades to black where almost nothing is
    lab = torch.stack([strength * (35 + 60 * bright), strength * a, strength * b])
    plot, axes = plt.subplots(figsize=(4.4, 4.2))
    edge = [-REACH, REACH, -REACH, REACH]
    axes.imshow(color.lab_to_rgb(lab).permute(1, 2, 0).numpy(), origin="lower", extent=edge)
    axes.axhline(0, color="0.45", linewidth=0.6)
    axes.axvline(0, color="0.45", linewidth=0.6)
    axes.plot(*tint, "w+", markersize=13, markeredgewidth=1.6)
    axes.set(xlabel="green   a*   red", ylabel="blue   b*   yellow")
    options = {"quality": 80, "optimize": True}
    plot.savefig(path, dpi=90, bbox_inches="tight", facecolor="white", pil_kwargs=options)
    plt.close(plot)


def main(photos: str, held_out: str) -> None:
    """Count, measure, draw; prints the numbers."""
    counts, number = count(Path(photos))
    tint = [round(median(counts.sum(1 - axis)), 1) for axis in (0, 1)]
    centers = (BINS[1:] + BINS[:-1]) / 2
    chroma = np.hypot(centers[:, None], centers)
    numbers = {
        "photos": number,
        "median": tint,
        "chroma below 15": round(float(counts[chroma < 15].sum() / counts.sum()), 3),
        "towards orange": round(float(counts[centers > 0][:, centers > 0].sum() / counts.sum()), 3),
        "held out": baselines(Path(held_out), tint),
    }
    draw(counts, tint, OUT / "histogram.jpg")
    (OUT / "histogram.json").write_text(json.dumps(numbers, indent=2) + "\n")
    print(
        json.dumps(numbers, indent=2), f"{(OUT / 'histogram.jpg').stat().st_size} bytes", sep="\n"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
