"""A folder of photos: how near the command comes to the sum of its stages on every core.

By each engine but torch that is there, by torch where there is no other.

    python -m sections.folder WEIGHTS FOLDER [ENGINE]

prints the seconds of reading, coloring and writing a photo of the folder, one by one on one thread.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import Figure, Plan, Process, cores, process

from sections.cold import installed

HERE = Path(__file__).parents[1]
BUSY, THROUGHPUT = 0.9, 0.9
STAGES = ("read", "color", "write")
SAMPLE = 24  # photos of which the stages are timed


def stages(weights: str, folder: Path, *engine: str) -> dict[str, float]:
    """Median processor seconds of each stage."""
    from engines import use_threads

    from pix2pix import Colorizer, images

    use_threads(1)
    asked = {"engine": engine[0]} if engine else {}
    model = Colorizer.from_pretrained(weights, device="cpu", **asked)
    taken: dict[str, list[float]] = {name: [] for name in STAGES}
    for path in sorted(folder.glob("*.jpg"))[: SAMPLE + 1]:
        marks = [time.process_time()]
        photo = images.read(path)
        marks.append(time.process_time())
        rgb = model.rgb(photo.rgb)
        marks.append(time.process_time())
        images.write(rgb, path.with_suffix(".out"), like=photo, model=model.name)
        path.with_suffix(".out").unlink()
        marks.append(time.process_time())
        for name, start, end in zip(STAGES, marks, marks[1:], strict=False):
            taken[name].append(end - start)
    return {name: statistics.median(seconds[1:] or seconds) for name, seconds in taken.items()}


def color(folder: Path, out: Path, weights: str, *engine: str) -> Process:
    command = [sys.executable, "-m", "pix2pix.cli", "colorize", str(folder), "-o", str(out)]
    asked = [f"--engine={e}" for e in engine]
    return process([*command, "--weights", weights, *asked])


def run(plan: Plan) -> Iterator[Figure]:
    weights = "default"
    engines = [(engine,) for engine in installed() if engine != "torch"] or [()]
    for count, (width, height) in ((plan.large, (1152, 864)), (plan.small, (256, 256))):
        with tempfile.TemporaryDirectory() as outer:
            many, one = Path(outer, "many"), Path(outer, "one")
            for folder, n in ((many, count), (one, 1)):
                shape = [str(width), str(height), "--count", str(n)]
                make = [sys.executable, str(HERE / "pictures.py"), str(folder), *shape]
                subprocess.run(make, check=True)
            for engine in engines:
                size = " ".join(("1 MP" if width > 256 else "256 px", *engine))
                yield from of_folder(weights, many, one, f"{count} photos of {size}", engine)


def of_folder(
    weights: str, many: Path, one: Path, name: str, engine: tuple[str, ...]
) -> Iterator[Figure]:
    """The figures of a folder; `one` holds a photo, for the time of the start."""
    outer, count = many.parent, len(list(many.glob("*.jpg")))
    for i in range(2):  # start-up, the second time with its files in memory
        start = color(one, outer / f"out{i}{engine}", weights, *engine)
    whole = color(many, outer / f"out{engine}", weights, *engine)
    command = [sys.executable, "-m", "sections.folder", weights, str(many), *engine]
    alone = {"OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, cwd=HERE, env=os.environ | alone
    )
    seconds = json.loads(answer.stdout)
    wall, cpu = whole.wall - start.wall, whole.cpu - start.cpu
    yield Figure(f"{name}, with start-up", count / whole.wall, "photos/s")
    rate, ideal = (count - 1) / wall, cores() / sum(seconds.values())
    of = f"stages on {cores()} cores"
    yield Figure(f"{name}, after it", rate, "photos/s", rate / ideal, of, THROUGHPUT, True)
    busy = cpu / wall / cores()
    yield Figure(f"{name}, share of the cores", 100 * busy, "%", busy, "all", BUSY, True)
    for stage, each in seconds.items():
        share = each / sum(seconds.values())
        yield Figure(f"{name}, {stage}", each * 1e3, "ms", share, "the stages")


if __name__ == "__main__":
    print(json.dumps(stages(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])))
