"""What exiftool reads before coloring and after it: what is lost must be named in a warning."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fuzz.drawings import gray, saved

from torture.report import Line

_TEXT = "Großmutter, Łódź 東京"
_UTF8 = "-CodedCharacterSet=UTF8"
# One tag a kind, and the tags in which it may be found again.
_KINDS: dict[str, tuple[list[str], set[str]]] = {
    "EXIF description": ([f"-EXIF:ImageDescription={_TEXT}"], {"ImageDescription", "Description"}),
    "EXIF artist": ([f"-EXIF:Artist={_TEXT}"], {"Artist", "Creator"}),
    "EXIF copyright": ([f"-EXIF:Copyright={_TEXT}"], {"Copyright", "Rights"}),
    "EXIF comment": ([f"-EXIF:UserComment={_TEXT}"], {"UserComment"}),
    "Windows title": ([f"-EXIF:XPTitle={_TEXT}"], {"XPTitle", "Title"}),
    "IPTC caption": (
        [_UTF8, f"-IPTC:Caption-Abstract={_TEXT}"],
        {"Caption-Abstract", "Description"},
    ),
    "IPTC keyword": (
        ["-CodedCharacterSet=UTF8", f"-IPTC:Keywords={_TEXT}"],
        {"Keywords", "Subject"},
    ),
    "IPTC city": (["-CodedCharacterSet=UTF8", f"-IPTC:City={_TEXT}"], {"City"}),
    "XMP title": ([f"-XMP-dc:Title={_TEXT}"], {"Title"}),
    "XMP rating": (["-XMP-xmp:Rating=4"], {"Rating"}),
    "comment": ([f"-Comment={_TEXT}"], {"Comment", "UserComment", "Description"}),
    "PNG author": ([f"-PNG:Author={_TEXT}"], {"Author", "Artist", "Creator"}),
    "date": (["-EXIF:DateTimeOriginal=1931:05:06 07:08:09"], {"DateTimeOriginal", "DateCreated"}),
}
_FORMATS = {"jpg": "JPEG", "png": "PNG", "tif": "TIFF", "webp": "WEBP", "avif": "AVIF"}


def run(quick: bool) -> Iterator[Line]:
    """Every kind that exiftool can put into every format, through the command line, once."""
    if shutil.which("exiftool") is None:
        yield Line("metadata lost in silence", "not measured: exiftool is not installed")
        return
    kinds = list(_KINDS)[:: 3 if quick else 1]
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name, "in"), Path(name, "out")
        folder.mkdir()
        written = dict(_make(folder, kinds))
        command = [sys.executable, "-m", "pix2pix.cli", "colorize", str(folder), "-o", str(out)]
        done = subprocess.run(
            [*command, "--weights", "pix2pix", "--json"], capture_output=True, text=True
        )
        before, after = _tags(folder), _tags(out)
        records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        warned = {Path(r.get("path", r.get("input", ""))).name: r.get("warnings") for r in records}
    lost, named = [], 0
    for file, kind in written.items():
        stem, _, extension = file.rpartition(".")
        if not _found(before.get(file, {}), kind):
            continue
        if _found(after.get(f"{stem}.color.{extension}", {}), kind):
            continue
        if warned.get(file):
            named += 1
        else:
            lost.append(f"{kind} in {extension}")
    number = f"{len(lost)} of {len(written)} (kind x format); {named} named in a warning"
    yield Line("metadata lost in silence", number, "0", not lost, lost[:20])


def _make(folder: Path, kinds: list[str]) -> Iterator[tuple[str, str]]:
    """(name, kind) of each file that exiftool could write the kind into."""
    for kind in kinds:
        for extension, format in _FORMATS.items():
            path = folder / f"{kind.replace(' ', '-')}.{extension}"
            path.write_bytes(saved(gray(), format))
            command = ["exiftool", "-q", "-q", "-overwrite_original", *_KINDS[kind][0], str(path)]
            done = subprocess.run(command, capture_output=True)
            if done.returncode:
                path.unlink()
            else:
                yield path.name, kind


def _tags(folder: Path) -> dict[str, dict[str, str]]:
    done = subprocess.run(["exiftool", "-q", "-j", "-r", str(folder)], capture_output=True)
    found = json.loads(done.stdout or b"[]")
    return {Path(each["SourceFile"]).name: each for each in found}


def _found(tags: dict[str, str], kind: str) -> bool:
    given, names = _KINDS[kind]
    value = given[-1].partition("=")[2]
    return any(value in str(tags.get(name, "")) for name in names)
