"""Training throughput: `fit` beside a bare torch loop over tensors in memory, in turns.

    python benchmarks/train.py [--blocks 6] [--steps 10]

Both train UNet(width=32, depth=7) on L1, 32 crops of 128 px a step, in the precision that the
machine has. `fit` loads, crops and converts the photos, logs every block to CSV and TensorBoard,
clips gradients, averages the weights and writes checkpoints; the bare loop does none of that.
Printed: images/s of each block and the medians. Bar: fit reaches at least 0.85 of the bare loop.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from PIL import Image

from pix2pix.data import Photos, prepare
from pix2pix.recipes import build
from pix2pix.train.loggers import Loggers
from pix2pix.train.loop import fit
from pix2pix.train.processes import launch

BATCH, SIZE = 32, 128
Seconds = list[tuple[float, float]]  # of each block, by `fit` and by the bare loop
BAR = 0.85  # of the bare loop
NET = {"width": 32, "depth": 7}


def make_photos(folder: Path, *, count: int) -> Path:
    """Crops of the color photographs that ship with skimage, 200 px a side."""
    folder.mkdir()
    sources = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea()]
    random = np.random.default_rng(0)
    for i in range(count):
        rgb = sources[i % len(sources)]
        top, left = (random.integers(0, side - 200) for side in rgb.shape[:2])
        Image.fromarray(rgb[top : top + 200, left : left + 200]).save(folder / f"{i:03}.png")
    return folder


class BareLoop:
    """The least that training can be: batches from memory, forward, backward, AdamW."""

    def __init__(self, photos: Photos, precision: str, batch: int):
        recipe = build("pix2pix", generator=NET).to(memory_format=torch.channels_last)
        self.net, self.optimizer = recipe.generator.train(), recipe.optimizers()[0]
        self.bf16 = precision == "bf16-mixed"
        self.batches = []
        for first in range(0, 4 * batch, batch):
            places = np.arange(first, first + batch)
            rgb = torch.stack([photos[int(i)][0] for i in places])
            self.batches.append(prepare(rgb, places))

    def run(self, steps: int) -> None:
        for step in range(steps):
            batch = self.batches[step % len(self.batches)]
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                loss = 25 * F.l1_loss(self.net(batch.L).float(), batch.ab)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


class Turns(Loggers):
    """Loggers that, after each block of `fit`, let the bare loop run as many steps."""

    def begin(self, bare: BareLoop, steps: int) -> None:
        self.bare, self.steps = bare, steps
        self.seconds: Seconds = []
        self.since = time.perf_counter()

    def scalars(self, values: dict[str, float], step: int) -> None:
        super().scalars(values, step)
        done = time.perf_counter()
        self.bare.run(self.steps)
        self.seconds.append((done - self.since, time.perf_counter() - done))
        self.since = time.perf_counter()


def measure(blocks: int, steps: int, *, batch: int = BATCH) -> tuple[Seconds, str]:
    """Train in turns, after a block to warm up -> the seconds of each block, and the precision."""
    fabric = launch(accelerator="cpu")
    precision = str(fabric.strategy.precision.precision)
    with tempfile.TemporaryDirectory() as folder:
        path = make_photos(Path(folder) / "photos", count=8 * batch)
        photos = Photos(path, cache=Path(folder) / "cache", size=SIZE)
        turns = Turns(Path(folder) / "run")
        turns.begin(BareLoop(photos, precision, batch), steps)
        fit(
            build("pix2pix", generator=NET, gan_start=10**9),
            photos=photos,
            run_dir=turns.folder,
            fabric=fabric,
            loggers=turns,
            steps=steps * (blocks + 1),
            batch=batch,
            log_every=steps,
            save_seconds=100,  # half of the time is the bare loop's
        )
    return turns.seconds[1:], precision  # the first warms up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--steps", type=int, default=10, help="of a block")
    options = parser.parse_args()
    blocks, precision = measure(options.blocks, options.steps)
    images = BATCH * options.steps
    for ours, bare in blocks:
        print(f"fit {images / ours:6.1f} images/s   bare loop {images / bare:6.1f} images/s")
    fit_speed = images / statistics.median(ours for ours, _ in blocks)
    bare_speed = images / statistics.median(bare for _, bare in blocks)
    ratio = statistics.median(bare / ours for ours, bare in blocks)
    threads = f"{torch.get_num_threads()} threads, {precision}"
    print(f"fit {fit_speed:.1f} images/s, bare loop {bare_speed:.1f} ({threads})")
    print(f"ratio {ratio:.2f} (bar: at least {BAR})")


if __name__ == "__main__":
    main()
