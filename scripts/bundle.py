"""Make a bundled weights file of a training run's: choose input area and saturation, write both in.

    python scripts/bundle.py runs/x/best.safetensors photos/ pix2pix/pretrained/default.safetensors
    python scripts/bundle.py runs/x/best.safetensors photos/ out.safetensors --with OTHER...

`--with` takes the mean with other weights of the same net: those of one run on its way average
well, and confident mistakes that only one of them makes fade; `--shares` weighs it. `--blend` and
`--vivid` set what part a net's distribution over colors has in its answer (see `BackboneUNet`).
Area and saturation are chosen on the photos that training held out (the validation split of DATA),
never on the photos whose metrics are published. L1 predicts the median color, which is duller than
the mean; so chroma is scaled by the largest factor that costs at most 0.02 dB beside the best one,
or by `--saturation`. Those photos are small; the area for large ones is set, by `--large-side`.
"""

import argparse
import dataclasses
import tempfile
import zipfile
from pathlib import Path

import torch

from pix2pix import weights
from pix2pix.colorize import Colorizer
from pix2pix.data.cache import list_photos
from pix2pix.data.pictures import in_validation
from pix2pix.evaluate import evaluate
from pix2pix.nets import build_generator
from pix2pix.weights.header import MOST_PIXELS

SIDES = (128, 160, 192, 224, 256)
SATURATIONS = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6)


def held_out(data: Path, folder: Path, count: int) -> int:
    """Put up to `count` held-out photos of DATA into `folder`; returns how many there are."""
    names = [n for n in list_photos(data) if in_validation(n, 0.02)][:count]
    for i, name in enumerate(names):
        target = folder / f"{i:04d}{Path(name).suffix}"
        if data.is_dir():
            target.symlink_to((data / name).resolve())
        else:
            with zipfile.ZipFile(data) as archive:
                target.write_bytes(archive.read(name))
    return len(names)


def take_mean(generator: torch.nn.Module, others: list[Path], shares: list[float]) -> None:
    """Make the generator's weights the mean of its own and those of the other files, in place.

    `shares` weigh them, its own first, and sum to 1.
    """
    states = [generator.state_dict(), *(weights.load(o)[0].state_dict() for o in others)]
    mean = {
        name: torch.stack(
            [share * state[name].float() for share, state in zip(shares, states, strict=True)]
        )
        .sum(0)
        .to(tensor.dtype)
        for name, tensor in states[0].items()
    }
    generator.load_state_dict(mean)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("dest", type=Path)
    parser.add_argument("--note", default="", help="what the model card's first line says of data")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--with", type=Path, nargs="*", default=[], dest="others")
    parser.add_argument(
        "--shares", type=float, nargs="*", help="in the mean, its own first; equal if not given"
    )
    parser.add_argument("--blend", type=float, help="0 to 1; as the weights say")
    parser.add_argument("--vivid", type=float, help="0, or 1 or more; as the weights say")
    parser.add_argument(
        "--saturation", type=float, help="the factor of chroma; chosen if not given"
    )
    parser.add_argument(
        "--large-side", type=int, help="of the input area for large photos [px]; as for small ones"
    )
    arguments = parser.parse_args()
    if arguments.saturation is not None and not 0 < arguments.saturation <= 10:
        parser.error(f"--saturation is above 0 and at most 10, not {arguments.saturation}")
    if arguments.large_side is not None and not 1 <= arguments.large_side <= MOST_PIXELS**0.5:
        parser.error(f"--large-side is 1 to {MOST_PIXELS**0.5:g}, not {arguments.large_side}")
    count = 1 + len(arguments.others)
    shares = arguments.shares or [1 / count] * count
    if len(shares) != count or abs(sum(shares) - 1) > 1e-6:
        parser.error(f"--shares are {count} numbers, the sum of which is 1, not {shares}")
    generator, header = weights.load(arguments.weights)
    take_mean(generator, arguments.others, shares)
    parts = {"blend": arguments.blend, "vivid": arguments.vivid}
    if given := {name: part for name, part in parts.items() if part is not None}:
        header.generator = {**header.generator, **given}
        state = generator.state_dict()
        generator = build_generator(header.generator).eval()
        generator.load_state_dict(state)
    header.saturation = 1.0

    def score(folder: str, area: int, saturation: float) -> tuple[float, float]:
        chosen = dataclasses.replace(header, area=area, saturation=saturation)
        row = evaluate(folder, Colorizer(generator, chosen))["rows"]["model"]
        print(f"{round(area**0.5)} px, saturation {saturation}: {row['psnr']:.3f} dB, ", end="")
        print(f"{row['colorfulness_ratio']:.1%} of the true colorfulness", flush=True)
        return row["psnr"], row["colorfulness_ratio"]

    with tempfile.TemporaryDirectory() as folder:
        count = held_out(arguments.data, Path(folder), arguments.count)
        print(f"{count} held-out photos")
        usable = [s * s for s in SIDES if s % generator.multiple == 0]
        chroma = 1.2 if arguments.saturation is None else arguments.saturation
        header.area = max(usable, key=lambda area: score(folder, area, chroma)[0])
        if arguments.saturation is None:
            scores = {s: score(folder, header.area, s)[0] for s in SATURATIONS}
            best = max(scores.values())
            header.saturation = max(s for s, psnr in scores.items() if psnr >= best - 0.02)
        else:
            header.saturation = arguments.saturation
    header.large_area = arguments.large_side and arguments.large_side**2
    header.name = arguments.dest.stem
    header.data = arguments.note or header.data
    weights.save(arguments.dest, generator, header, dtype=torch.float16)
    print(f"{arguments.dest}: area {round(header.area**0.5)} px squared, x{header.saturation}")


if __name__ == "__main__":
    main()
