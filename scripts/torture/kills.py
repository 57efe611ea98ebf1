"""Folder runs killed at random moments: no broken output, and the next run finishes the rest."""

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fuzz.drawings import color, saved
from PIL import Image

from torture.report import Line

_FORMATS = {"jpg": "JPEG", "png": "PNG", "tif": "TIFF", "webp": "WEBP", "bmp": "BMP"}


def run(quick: bool) -> Iterator[Line]:
    """`kill -9` a number of times, each from the first output on; a last run undisturbed."""
    kills, photos, rng = (4, 40, random.Random(0)) if quick else (30, 120, random.Random(0))
    bad: list[str] = []
    left = 0
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name, "in"), Path(name, "out")
        source.mkdir()
        out.mkdir()
        for i in range(photos):
            extension, format = list(_FORMATS.items())[i % len(_FORMATS)]
            data = saved(color("RGB", 320, 240), format)
            (source / f"{i:03}.{extension}").write_bytes(data)
        for _ in range(kills):
            if len(list(out.glob("*.color.*"))) == photos:  # too fast: again
                shutil.rmtree(out)
                out.mkdir()
            _killed(source, out, rng.uniform(0, 0.5))
            left += len(list(out.glob(".pix2pix-*")))
            bad += _bad(out)
        process = subprocess.run(_command(source, out), capture_output=True)
        bad += _bad(out)
        missing = photos - len(list(out.glob("*.color.*")))
        after = len(list(out.glob(".pix2pix-*")))
    yield Line(f"broken outputs after {kills} kills", f"{len(bad)}", "0", not bad, bad[:5])
    number = f"{missing} of {photos} missing, exit {process.returncode}"
    yield Line("the run after the last kill", number, "0", not missing and not process.returncode)
    number = f"{after} (left by the kills: {left})"
    yield Line("temporary files after that run", number, "0", not after)


def _command(source: Path, out: Path) -> list[str]:
    command = [sys.executable, "-m", "pix2pix.cli", "colorize", str(source), "-o", str(out)]
    return [*command, "--weights", "pix2pix"]


def _killed(source: Path, out: Path, seconds: float) -> None:
    """A run that is killed `seconds` after it has put something new into `out`."""
    before = set(out.iterdir())
    process = subprocess.Popen(
        _command(source, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and set(out.iterdir()) <= before:
        time.sleep(0.005)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


def _bad(out: Path) -> list[str]:
    """Outputs that Pillow does not read to the end."""
    found = []
    for path in out.glob("*.color.*"):
        try:
            with Image.open(path) as image:
                image.load()
                assert image.size == (320, 240)
        except (OSError, SyntaxError, AssertionError) as error:
            found.append(f"{path.name}: {type(error).__name__}")
    return found
