"""Draw resources/course/l1_weight.jpg: what the weight of L1 beside a critic does to color.

    python scripts/make_course_pictures.py DATA OUT [--steps 150] [--again]

The bundled `default` net is trained on for a short while, five times from the same start: on L1
alone, and against a PatchGAN with four weights of L1. Then each colors photographs that ship with
the packages, and were in no training set: one row of the sheet a run, the notebook cuts it into
rows. OUT keeps the runs; those that are there are drawn again without training (--again trains
them anew). A GPU takes minutes, a core of a CPU about half an hour.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

from pix2pix import Colorizer, show
from pix2pix.data import samples

SHEET = Path(__file__).resolve().parent.parent / "resources" / "course" / "l1_weight.jpg"
WEIGHTS: tuple[float | None, ...] = (None, 25, 3, 1, 0.3)  # None: L1 alone
PHOTOS = ("hopper", "astronaut", "cat", "coffee")
SIDE = 150


def name(l1: float | None) -> str:
    return "l1-alone" if l1 is None else f"l1-{l1}"


def train(data: str, run_dir: Path, *, l1: float | None, steps: int) -> None:
    """One run; the learning rate is constant, so that every step counts the same."""
    settings = {
        "recipe": "pix2pix",
        "recipe/generator": "mobilenet_v2",
        "recipe.l1": l1 or 25,
        "recipe.gan_start": 0 if l1 else steps,
        "recipe.lr": 1e-4,
        "data.path": data,
        "data.cache": run_dir.parent / "cache",
        "data.size": 128,
        "trainer.init_from": "default",
        "trainer.steps": steps,
        "trainer.warmup": 10,
        "trainer.schedule": "constant",
        "trainer.ema": 0.98,
        "trainer.val_every": steps,
        "run_dir": run_dir,
    }
    command = [sys.executable, "-m", "pix2pix.train", *(f"{k}={v}" for k, v in settings.items())]
    subprocess.run(command, check=True)


def row(weights: Path) -> Image.Image:
    """The photographs side by side, colored by these weights, at the chroma as predicted."""
    colorizer = Colorizer.from_pretrained(weights)
    return show.grid([colorizer(samples.photo(photo)) for photo in PHOTOS], side=SIDE).image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder or zip of color photographs")
    parser.add_argument("out", type=Path, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--again", action="store_true", help="train what is there already")
    given = parser.parse_args()
    rows = []
    for l1 in WEIGHTS:
        run_dir = given.out / name(l1)
        if given.again:
            shutil.rmtree(run_dir, ignore_errors=True)
        if not (run_dir / "last.safetensors").exists():
            train(given.data, run_dir, l1=l1, steps=given.steps)
        rows.append(row(run_dir / "last.safetensors"))
    sheet = Image.new("RGB", (rows[0].width, sum(r.height for r in rows)), "white")
    for i, picture in enumerate(rows):
        sheet.paste(picture, (0, i * rows[0].height))
    SHEET.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(SHEET, quality=88, optimize=True)
    print(f"{SHEET.name}: {SHEET.stat().st_size / 1000:.0f} kB, rows {[name(w) for w in WEIGHTS]}")


if __name__ == "__main__":
    main()
