"""A JPEG of 12 MP, file to file: how much the coloring adds to what Pillow itself takes.

    python benchmarks/colorize.py [--megapixels 12] [--weights default] [--gray]

Printed, from one run: Pillow's decode + encode of the file, one pass of the generator, and read ->
color -> write through this package (least of several rounds each); the ratio of that to three times
Pillow plus one pass; the peak memory above idle in bytes a pixel, from a process of its own. Bars:
ratio 1, 24 bytes a pixel. `--gray` makes a one-channel JPEG, of which Pillow has less to do.
Without weights, `--weights none` measures a random BackboneUNet. Linux.
"""

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import data

from pix2pix import images
from pix2pix.colorize import Colorizer
from pix2pix.nets.backbone_unet import BackboneUNet
from pix2pix.weights import Header

QUALITY = 92  # what the package writes, so that both sides do the same work


def make_jpeg(path: Path, megapixels: float, *, gray: bool) -> None:
    """Photographs from skimage, doubled in size and tiled to 4:3, with the noise of a sensor.

    About 0.4 bytes a pixel, as cameras and scanners write them.
    """
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    sheet = np.concatenate(
        [
            np.asarray(Image.fromarray(photo[:300, :450]).resize((900, 600), 3))
            for photo in (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())
        ]
    )
    sheet = np.tile(sheet, (-(-height // sheet.shape[0]), -(-width // sheet.shape[1]), 1))
    noise = np.random.default_rng(0).normal(0, 9, (height, width, 3))
    noisy = np.clip(sheet[:height, :width] + noise, 0, 255).astype(np.uint8)
    Image.fromarray(noisy).convert("L" if gray else "RGB").save(path, quality=QUALITY)


def load(weights: str) -> Colorizer:
    if weights == "none":
        return Colorizer(BackboneUNet(), Header(generator={}, name="random"))
    return Colorizer.from_pretrained(weights, device="cpu")


def by_pillow(path: Path) -> None:
    with Image.open(path) as image:
        image.load()
        image.save(io.BytesIO(), format="JPEG", quality=QUALITY)


def by_package(path: Path, colorizer: Colorizer) -> None:
    photo = images.read(path)
    rgb = colorizer.rgb(photo.rgb)
    images.write(rgb, path.with_suffix(".color.jpg"), like=photo, model=colorizer.name)


def least(rounds: int, *sides: Callable[[], object]) -> list[float]:
    """Seconds of each side, the least of `rounds`, taking turns so that all share the weather."""
    best = [float("inf")] * len(sides)
    for _ in range(rounds):
        for i, side in enumerate(sides):
            start = time.perf_counter()
            side()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def memory(field: str) -> int:
    """VmRSS (now) or VmHWM (peak) of this process, in bytes."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(field))
    return int(line.split()[1]) * 1024


def peak(path: Path, weights: str) -> int:
    """Bytes above idle, where idle has the model loaded and one small photo done."""
    colorizer = load(weights)
    small = path.with_name("small.jpg")
    make_jpeg(small, 0.1, gray=False)
    by_package(small, colorizer)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    idle = memory("VmRSS")
    by_package(path, colorizer)
    return memory("VmHWM") - idle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--weights", default="default")
    parser.add_argument("--gray", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(peak(options.peak, options.weights))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        make_jpeg(path, options.megapixels, gray=options.gray)
        command = [sys.executable, __file__, "--weights", options.weights, "--peak", str(path)]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        colorizer = load(options.weights)
        pixels = torch.from_numpy(images.read(path).rgb)
        pillow, net, package, read, color = least(
            options.rounds,
            lambda: by_pillow(path),
            lambda: colorizer.predict(pixels),
            lambda: by_package(path, colorizer),
            lambda: images.read(path),
            lambda: colorizer.rgb(pixels.numpy()),
        )
    print(f"{options.megapixels:g} MP {'gray' if options.gray else 'RGB'} JPEG")
    print(f"Pillow decode + encode  {pillow:.3f} s")
    print(f"one pass of {colorizer.name:11} {net:.3f} s")
    print(f"read, color, write      {package:.3f} s (read {read:.3f}, color {color:.3f})")
    print(f"ratio to 3 Pillow + 1 pass: {package / (3 * pillow + net):.2f} (bar 1)")
    print(
        f"peak above idle: {int(answer.stdout) / pixels[..., 0].numel():.1f} bytes a pixel (bar 24)"
    )


if __name__ == "__main__":
    main()
