"""Print what a reference is worth: PSNR gained by `like`, beside that of 10 hints, and its cost.

    python scripts/measure_like.py PHOTOS [--every 8] [--offset 0] [--weights W] [--engine E]

Pairs are made from color photos: the photo itself mirrored as the reference; one half of a photo
colored like its other half, which share no pixel; and a half of another photo, which has nothing to
do with it. Hints are those of `pix2pix evaluate`, 10 random points with their true colors. A photo
of which either half is gray is left out. Times are CPU times on one thread, the least of three.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from pix2pix import Colorizer, Wish, images
from pix2pix.colorize.likeness import Seen, match
from pix2pix.colorize.reference import Reference
from pix2pix.errors import BadReference
from pix2pix.evaluate.curves import true_hints
from pix2pix.evaluate.photos import find_photos

HINTS = 10
UNRELATED = 7  # photos further on


def psnr(result: np.ndarray, truth: np.ndarray) -> float:
    """Decibels between pictures (H, W, 3) uint8."""
    return float(-10 * np.log10(np.square((result - truth.astype(np.float64)) / 255).mean()))


def halves(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both halves of a picture's longer side."""
    axis = int(rgb.shape[1] >= rgb.shape[0])
    one, other = np.array_split(rgb, 2, axis)
    return np.ascontiguousarray(one), np.ascontiguousarray(other)


def count(colorizer: Colorizer, rgb: np.ndarray, reference: Reference) -> int:
    """How many places of a picture match the reference."""
    seen = []
    for picture in (rgb, reference.rgb):
        L = colorizer._lightness(picture)
        seen.append(Seen.of(colorizer._features(L), L))
    return len(match(*seen)[0])


def cpu_time(run: Callable[[], object]) -> float:
    """Milliseconds, the least of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def measure(
    colorizer: Colorizer, photos: Iterable[np.ndarray]
) -> dict[str, dict[str, list[float]]]:
    """Gains and counts of matches of each photo, by kind of pair."""
    pairs = [(rgb, *halves(rgb)) for rgb in photos]
    table: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for i, (rgb, one, other) in enumerate(pairs):
        far = pairs[(i + UNRELATED) % len(pairs)][2]
        kinds = {"mirrored": (rgb, rgb[:, ::-1]), "half": (one, other), "unrelated": (one, far)}
        try:
            references = {kind: Reference.of(pair[1].copy()) for kind, pair in kinds.items()}
        except BadReference:
            continue
        plains = {
            kind: psnr(colorizer.rgb(photo), photo)
            for kind, photo in (("mirrored", rgb), ("half", one))
        }
        for kind, (photo, _) in kinds.items():
            plain = plains.get(kind, plains["half"])
            liked = colorizer.color(photo, Wish(like=references[kind]))
            table[kind]["like"].append(psnr(liked, photo) - plain)
            table[kind]["matches"].append(count(colorizer, photo, references[kind]))
            if kind != "unrelated":
                hinted = colorizer.rgb(photo, hints=true_hints(photo, HINTS, i))
                table[kind]["hints"].append(psnr(hinted, photo) - plain)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", help="a folder of photos in color")
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--weights", default="default")
    parser.add_argument("--engine", default="auto")
    asked = parser.parse_args()
    colorizer = Colorizer.from_pretrained(asked.weights, device="cpu", engine=asked.engine)
    paths = find_photos(asked.photos)[asked.offset :: asked.every]
    photos = [np.ascontiguousarray(images.read(path).rgb) for path in paths]
    for kind, columns in measure(colorizer, photos).items():
        gains = np.array(columns["like"])
        line = f"{kind:10s}{len(gains):4d} photos  like {gains.mean():+.2f} dB"
        line += f" (tenth percentile {np.percentile(gains, 10):+.2f})"
        line += f", {np.mean(columns['matches']):.0f} matches"
        if "hints" in columns:
            hinted = np.mean(columns["hints"])
            line += f"; {HINTS} hints {hinted:+.2f} dB: {gains.mean() / hinted:.0%} of it"
        print(line)
    rgb, wish = photos[0], Wish(like=Reference.of(photos[0]))
    colorizer.color(rgb, wish)
    plain, liked = (cpu_time(lambda w=w: colorizer.color(rgb, w)) for w in (Wish(), wish))
    print(f"CPU time of a photo of {rgb.shape[1]}x{rgb.shape[0]}: {plain:.0f} ms, {liked:.0f} ms")


if __name__ == "__main__":
    main()
