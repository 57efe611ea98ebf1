"""A JPEG of 1 to 100 MP, file to file: how much coloring adds to what Pillow takes alone.

    python -m sections.file WEIGHTS PATH ...

prints, of each file, the bytes a pixel above idle: a process of its own, as memory once taken is
not given back.
"""

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from harness import Figure, Plan, Times, memory, turns
from pictures import QUALITY, make_jpeg, sides
from PIL import Image

from pix2pix import Colorizer, images

BAR = 1.6  # times Pillow's decode and encode, plus one pass of the net
BYTES = 12  # a pixel, above idle
FLAT = 1.15  # the dearest megapixel to the cheapest


def by_pillow(path: Path) -> None:
    with Image.open(path) as image:
        image.load()
        image.save(io.BytesIO(), format="JPEG", quality=QUALITY)


def by_package(path: Path, model: Colorizer) -> None:
    photo = images.read(path)
    rgb = model.rgb(photo.rgb)
    images.write(rgb, path.with_suffix(".color.jpg"), like=photo, model=model.name)


def peaks(weights: str, paths: list[Path]) -> list[int]:
    """Bytes above idle of each file, where idle has the model loaded and a small photo done."""
    model = Colorizer.from_pretrained(weights, device="cpu")
    make_jpeg(small := paths[0].with_name("small.jpg"), 400, 300)
    by_package(small, model)
    idle, found = memory("VmRSS"), []
    for path in paths:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        by_package(path, model)
        found.append(memory("VmHWM") - idle)
    return found


def held(weights: str, paths: list[Path]) -> list[int]:
    """`peaks`, measured in a process of its own."""
    command = [sys.executable, "-m", "sections.file", weights, *map(str, paths)]
    here = Path(__file__).parents[1]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=here)
    return json.loads(answer.stdout)


def of_file(name: str, megapixels: float, times: dict[str, Times], large: bool) -> Iterator[Figure]:
    """The time of a file, by the clock on the wall and of all cores; the bar where it is large."""
    for clock, word in (("wall", "wall"), ("cpu", "processor")):
        each = times["ours"].median(clock) * 1e3 / megapixels
        ratio = times["ours"].ratio(times["pillow"], clock)
        yield Figure(f"{name}, {word} time", each, "ms/MP", ratio, "Pillow")
    whole = times["ours"].median()
    allowed = BAR * times["pillow"].median() + times["net"].median()
    of, bar = f"({BAR} Pillow + 1 pass)", 1 if large else None
    yield Figure(f"{name}, to the bar", whole * 1e3, "ms", whole / allowed, of, bar)


def run(plan: Plan) -> Iterator[Figure]:
    from engines import one_pass  # torch, which the process of `peaks` need not hold

    weights = plan.weights or "default"
    model, net = Colorizer.from_pretrained(weights, device="cpu"), one_pass(weights, 1000)
    for kind in ("RGB", "gray"):
        flat = []
        with tempfile.TemporaryDirectory() as folder:
            paths = {size: Path(folder, f"{size}.jpg") for size in plan.sizes}
            for size, path in paths.items():
                make_jpeg(path, *sides(size), gray=kind == "gray")
            memory_of = dict(zip(plan.sizes, held(weights, list(paths.values())), strict=True))
            for size, path in paths.items():
                pillow, ours = partial(by_pillow, path), partial(by_package, path, model)
                works: dict[str, Callable] = {"pillow": pillow, "net": net, "ours": ours}
                times = turns(works, plan.rounds if size <= 12 else min(3, plan.rounds))
                name, megapixels = f"{size} MP {kind}", sides(size)[0] * sides(size)[1] / 1e6
                yield from of_file(name, megapixels, times, size >= 12)
                a_pixel, bar = memory_of[size] / megapixels / 1e6, BYTES if size >= 4 else None
                yield Figure(f"{name}, memory above idle", a_pixel, "bytes/pixel", bar=bar)
                if size >= 4:
                    flat.append(times["ours"].median() * 1e3 / megapixels)
        if len(flat) > 1:
            name = f"4 to {plan.sizes[-1]} MP {kind}, dearest megapixel"
            yield Figure(name, max(flat), "ms/MP", max(flat) / min(flat), "the cheapest", FLAT)


if __name__ == "__main__":
    print(json.dumps(peaks(sys.argv[1], [Path(path) for path in sys.argv[2:]])))
