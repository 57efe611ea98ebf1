"""The photo cache: every picture of a folder or zip, decoded once, scaled and stored raw.

Decoding costs more than a training step has time for; a crop out of raw pixels costs nearly none.
A cache is a folder: `pixels.u8` (RGB bytes, one picture after the other), `index.json` (a `Row` for
each) and `bad_files.jsonl` (what could not be read). It is whole when the index is there.
"""

import contextlib
import hashlib
import json
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from pix2pix.errors import Corrupt, DataError, PhotoError
from pix2pix.files import Bytes, replacing, sweep
from pix2pix.images import read
from pix2pix.images.formats import EXTENSIONS
from pix2pix.images.names import is_photo
from pix2pix.metrics import colorfulness
from pix2pix.strips import thread_pool

Halves = tuple[str, str]
"""Names for the left and the right half of pictures that hold two: see `build_cache`."""

MAX_BYTES = 2**28  # of one picture file; a zip may claim any size
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    RuntimeError,  # encrypted, or a compression that is not known
)


@dataclass
class Row:
    """One photo of a cache: where its pixels lie, how colorful it is, a checksum to know it by."""

    name: str
    offset: int  # [bytes]
    height: int
    width: int
    colorfulness: float
    crc: int

    @property
    def bytes(self) -> int:
        """Length of its pixels: H * W * 3."""
        return self.height * self.width * 3


def list_photos(source: str | Path) -> list[str]:
    """Names of the picture files in a folder (recursive) or zip, sorted; by suffix, unopened.

    Skips what is no photo by `names.is_photo`: hidden files, thumbnails and recycle bins of network
    drives, `__MACOSX` in zips from a Mac, our own `*.color.*`.
    Raises DataError when there is none or `source` is neither.
    """
    source = Path(source)
    if source.is_dir():
        names = [p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()]
    elif zipfile.is_zipfile(source):
        with _open_zip(source) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    else:
        missing = "" if source.exists() else " (there is nothing of this name)"
        raise DataError(f"neither a folder nor a zip of photos{missing}", source)
    names = sorted({n for n in names if is_photo(Path(n).parts)})
    if not names:
        raise DataError(f"no pictures in it (looked for {', '.join(sorted(EXTENSIONS))})", source)
    return names


def _open_zip(source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"the zip cannot be read: {error}", source) from error


def fingerprint(
    source: str | Path, names: list[str], short_side: int, halves: Halves | None = None
) -> str:
    """A key for the cache: the same files at the same size, cut alike, give the same key."""
    source = Path(source)
    whole = source.stat() if source.is_file() else None
    digest = hashlib.sha256()
    cut = f" {halves}" if halves else ""
    digest.update(f"v2 {source.resolve()} {short_side}{cut}".encode(errors="surrogateescape"))
    for name in names:
        stat = whole or (source / name).stat()
        line = f"{name} {stat.st_size} {stat.st_mtime_ns}\n"
        digest.update(line.encode(errors="surrogateescape"))  # a name may be any bytes
    return digest.hexdigest()[:16]


def build_cache(
    source: str | Path, cache: str | Path, *, short_side: int, halves: Halves | None = None
) -> Path:
    """Decode every picture of `source` once, into a folder under `cache` -> that folder.

    Short sides longer than `short_side` are scaled down to it. With `halves` ("A", "B") each
    picture is first cut in two, x/0.jpg into x/A/0.jpg and x/B/0.jpg, but for those of an odd
    width. A cache that is there is used; an
    interrupted one is built anew. Raises DataError when there are no pictures, when more than 1 %
    of them (and more than one) cannot be read, or when the cache cannot be written.
    """
    source, names = Path(source), list_photos(source)
    folder = Path(cache) / fingerprint(source, names, short_side, halves)
    if (folder / "index.json").exists():
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(str(folder))
        with replacing(folder / "pixels.u8") as write:
            pictures = _decoded(source, names, short_side, halves)
            rows, bad = _store(pictures, write, len(names))
            with replacing(folder / "bad_files.jsonl") as write:
                write("".join(json.dumps(b) + "\n" for b in bad).encode())
            _report(source, folder, bad, len(names))
        with replacing(folder / "index.json") as write:  # last
            write(json.dumps([astuple(row) for row in rows]).encode())
    except OSError as error:
        raise DataError(f"the cache cannot be written: {error.strerror}", folder) from error
    return folder


def read_index(folder: Path) -> list[Row]:
    """The rows of a cache. Raises DataError when its pixels are not all there."""
    rows = [Row(*row) for row in json.loads((folder / "index.json").read_text())]
    pixels = folder / "pixels.u8"
    if not pixels.is_file() or pixels.stat().st_size != sum(row.bytes for row in rows):
        raise DataError("this photo cache is damaged; delete it to have it built anew", folder)
    return rows


def _decoded(
    source: Path, names: list[str], short_side: int, halves: Halves | None
) -> Iterator[list[tuple[Row, np.ndarray]] | PhotoError]:
    """Each picture's rows and pixels, whole or in halves, in the order of names.

    Pixels are (H, W, 3) uint8, the short side at most `short_side`.
    """
    opened = _open_zip(source) if source.is_file() else contextlib.nullcontext()
    with opened as archive, _torch_pool() as pool:

        def load(name: str) -> list[tuple[Row, np.ndarray]] | PhotoError:
            try:
                rgb = _read(source, archive, name)
            except PhotoError as error:
                error.path = name
                return error
            return [_row(part, piece, short_side) for part, piece in _cut(name, rgb, halves)]

        for start in range(0, len(names), 64):  # in slices: never more than 64 pictures in memory
            yield from pool.map(load, names[start : start + 64])


@contextlib.contextmanager
def _torch_pool() -> Iterator[ThreadPoolExecutor]:
    """A `thread_pool` in each of whose threads torch, too, computes on one core."""
    threads = torch.get_num_threads()
    try:
        with thread_pool(lambda: torch.set_num_threads(1)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # the workers' 1 would be the next new thread's too


def _read(source: Path, archive: zipfile.ZipFile | None, name: str) -> np.ndarray:
    if archive is None:
        return read(source / name, max_bytes=MAX_BYTES).rgb
    try:
        with archive.open(name) as member:  # a member is read, never extracted: its name is a label
            return read(member, max_bytes=MAX_BYTES).rgb  # type: ignore[arg-type]
    except _ZIP_ERRORS as error:
        raise Corrupt(f"broken in the zip: {error}") from error


def _cut(name: str, rgb: np.ndarray, halves: Halves | None) -> list[tuple[str, np.ndarray]]:
    """A picture (H, W, 3) by name, or its left and right half."""
    middle, odd = divmod(rgb.shape[1], 2)
    if halves is None or odd:
        return [(name, rgb)]
    path = PurePosixPath(name)
    left, right = (str(path.parent / half / path.name) for half in halves)
    return [(left, rgb[:, :middle]), (right, rgb[:, middle:])]


def _row(name: str, rgb: np.ndarray, short_side: int) -> tuple[Row, np.ndarray]:
    """A picture (H, W, 3) uint8 -> its row, and its pixels as they are stored."""
    rgb = np.ascontiguousarray(_shrink(rgb, short_side))
    color = float(colorfulness(torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255))
    h, w = rgb.shape[:2]
    return Row(name, 0, h, w, round(color, 3), zlib.crc32(rgb.data)), rgb


def _shrink(rgb: np.ndarray, short_side: int) -> np.ndarray:
    """Downscale (H, W, 3) uint8 to a short side of at most `short_side`, antialiased."""
    scale = short_side / min(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = [max(short_side, round(side * scale)) for side in rgb.shape[:2]]
    picture = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None]
    return F.interpolate(picture, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()


def _store(
    items: Iterator[list[tuple[Row, np.ndarray]] | PhotoError],
    write: Callable[[Bytes], object],
    count: int,
) -> tuple[list[Row], list[dict[str, str | None]]]:
    """Write the pictures' pixels -> their rows, and a record of each that could not be read."""
    rows: list[Row] = []
    bad: list[dict[str, str | None]] = []
    offset = 0
    for item in tqdm(items, "decode", count, unit="img", disable=None):
        if isinstance(item, PhotoError):
            bad.append({"path": item.path, "code": item.code, "reason": item.reason})
            continue
        for row, rgb in item:
            row.offset = offset
            rows.append(row)
            write(rgb.data)
            offset += row.bytes
    return rows, bad


def _report(source: Path, folder: Path, bad: list[dict[str, str | None]], count: int) -> None:
    """Report the pictures that could not be read; raise DataError when they are too many."""
    if not bad:
        return
    shown = "; ".join(f"{b['path']}: {b['code']}" for b in bad[:5]) + "; ..." * (len(bad) > 5)
    said = f"{source}: {len(bad)} of {count} pictures cannot be read ({shown})"
    said += f"; the whole list: {folder / 'bad_files.jsonl'}"
    if len(bad) == count or len(bad) > max(1, count // 100):
        raise DataError(said)
    tqdm.write(said, file=sys.stderr)
