"""Folders that hold no photo, or few: the exit status and the words that people get."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.drawings import gray, saved

from torture.report import Line


@dataclass
class Case:
    """A folder, what is in it, the exit status, how many outputs, and a word that must be said."""

    name: str
    fill: Callable[[Path], None]
    status: set[int]
    outputs: int
    said: str = ""


def _photo(path: Path, format: str = "JPEG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(saved(gray(), format))


def _texts(folder: Path) -> None:
    for name in ("notes.txt", "scan.pdf", "video.mp4"):
        (folder / name).write_bytes(b"no picture")


def _thumbnails(folder: Path) -> None:
    _photo(folder / "a.jpg")
    for name in ("@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/b.jpg", "$RECYCLE.BIN/c.jpg"):
        _photo(folder / name)


def _broken(folder: Path) -> None:
    _photo(folder / "good.jpg")
    (folder / "cut.jpg").write_bytes(saved(gray(), "JPEG")[:90])


def _cut_output(folder: Path) -> None:
    _photo(folder / "a.jpg")
    (folder / "a.color.jpg").write_bytes(b"")


_CASES = (
    Case("nothing in it", lambda folder: None, {1, 2}, 0),
    Case("texts and documents only", _texts, {1, 2}, 0),
    Case("our own outputs only", lambda folder: _photo(folder / "a.color.jpg"), {1, 2}, 1),
    Case("photos under foreign names", lambda folder: _photo(folder / "a.xyz"), {1, 2}, 0),
    Case("thumbnails and recycle bins", _thumbnails, {0}, 1),
    Case("one good, one cut", _broken, {2}, 1, "truncated"),
    Case("only a cut one", lambda f: (f / "a.jpg").write_bytes(b"\xff\xd8\xff") and None, {1}, 0),
    Case("an empty output of a killed run", _cut_output, {0}, 1),
)


def run(quick: bool) -> Iterator[Line]:
    """Every case in a process of its own; the bars are those of the command line's manual."""
    wrong = [text for case in _CASES[: 4 if quick else None] for text in _wrong(case)]
    count = len(_CASES[: 4 if quick else None])
    yield Line("bad folders that end wrongly", f"{len(wrong)} of {count}", "0", not wrong, wrong)


def _wrong(case: Case) -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case.fill(folder)
        command = [sys.executable, "-m", "pix2pix.cli", "colorize", name, "--weights", "pix2pix"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        outputs = [path for path in folder.rglob("*.color.*") if path.stat().st_size]
    said = " ".join((done.stdout + done.stderr).split())
    reasons = []
    if done.returncode not in case.status:
        reasons.append(f"exit {done.returncode}")
    if len(outputs) != case.outputs:
        reasons.append(f"{len(outputs)} outputs")
    if not said or case.said not in said or "Traceback" in said:
        reasons.append("the word is missing")
    return [f"{case.name}: {', '.join(reasons)}; said: {said[-160:]}"] if reasons else []
