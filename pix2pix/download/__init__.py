"""Photographs from the web: every source -> checksum -> a folder of images.

A download that is cut goes on where it stopped (fetch.py), nothing is unpacked before its checksum
is right (unpack.py), and the folder appears whole or not at all. A new source is one entry of
`SOURCES`. Where a notebook has data attached, kaggle.py finds it.
"""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pix2pix.download.fetch import discard, fetch, file_size, note
from pix2pix.download.kaggle import find_kaggle_input
from pix2pix.download.unpack import unpack, verify
from pix2pix.errors import DataError
from pix2pix.terminal import is_live

__all__ = ["MARGIN", "SOURCES", "Source", "download", "find_kaggle_input"]


@dataclass(frozen=True)
class Source:
    """An archive of photographs, tar.gz or zip, and what must be known before it is fetched."""

    url: str
    size: int  # [bytes] of the archive
    md5: str
    md5_bytes: int | None  # how many of the first bytes the checksum covers; None for all
    unpacked: int  # [bytes] on disk, at most
    pictures: str  # how many, for people
    folder: str  # the folder of the archive that holds them
    terms: str


# Sizes: https://github.com/fastai/fastai/blob/main/fastai/data/checks.txt. So is the md5 of coco,
# which in that table covers the first MiB (`_check_file` in fastai/data/external.py); for the rest
# stands gzip's own CRC, compared before the folder appears. The md5 of imagenette covers all of it:
# https://github.com/pytorch/vision/blob/main/torchvision/datasets/imagenette.py. `unpacked` is 5 %
# over the archive, in which JPEGs hardly get smaller, and a block of 4 KiB a picture.
SOURCES = {
    "imagenette": Source(
        url="https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
        size=341_663_724,
        md5="3df6f0d01a2c9592104656642f5e78a3",
        md5_bytes=None,
        unpacked=420_000_000,
        pictures="13,394 photos with a short side of 320 px, of ten easy ImageNet classes",
        folder="imagenette2-320",
        terms="ImageNet's terms hold for the photos: non-commercial research and education only "
        "(https://image-net.org/download); their copyright is their owners'",
    ),
    "coco": Source(
        url="https://s3.amazonaws.com/fast-ai-coco/coco_sample.tgz",
        size=3_245_877_008,
        md5="006cd55d633d94b36ecaf661467830ec",
        md5_bytes=2**20,
        unpacked=3_500_000_000,
        pictures="about 20,000 photos of everyday scenes, about 640 x 480 px",
        folder="coco_sample/train_sample",
        terms="the photos are from Flickr, each under its owner's Creative Commons license and "
        "Flickr's terms of use (https://cocodataset.org/#termsofuse)",
    ),
}
MARGIN = 200_000_000  # [bytes] that stay free on the disk
_MARKER = ".pix2pix.json"  # in a folder that is whole; hidden: no training data


def download(
    name: str,
    dest: str | Path,
    *,
    source_url: str | None = None,
    keep: bool = False,
    retries: int = 5,
    timeout: float = 30.0,
    backoff: float = 1.0,
    progress: bool | None = None,
) -> Path:
    """Make the folder of images `dest/name` from a source of `SOURCES`, and return it.

    A folder that is there is returned at once. `source_url` is another address of the same archive.
    The archive is deleted after unpacking unless `keep`; one that lies in `dest` already is used.
    Up to `retries` attempts in a row may bring nothing, each at most `timeout` seconds of silence
    long, with `backoff` seconds before the first and twice as many before each next. `progress`
    shows bars; by default on a terminal and in notebooks. What interrupts a download, Ctrl-C
    included, leaves what is there, and the same call goes on. Of several processes one works.

    Raises DataError, in one line: no such source, no space, no connection, wrong checksum, a folder
    that cannot be written or that something else is in.
    """
    if name not in SOURCES:
        raise DataError(f"{name}: no such source; there are {', '.join(SOURCES)}")
    source, folder = SOURCES[name], Path(dest) / name
    url = source_url or source.url
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise DataError(f"{url}: not an address of the web (http:// or https://)")
    if _is_whole(folder, source):
        return folder
    if progress is None:
        progress = is_live()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder.with_name(f".{name}.lock")):
            if not _is_whole(folder, source):  # another process may have made it meanwhile
                archive, temporary = _archive(source, folder)
                if temporary:
                    fetch(
                        url,
                        archive,
                        size=source.size,
                        retries=retries,
                        timeout=timeout,
                        backoff=backoff,
                        progress=progress,
                    )
                _check(archive, source, temporary, progress)
                if temporary and keep:
                    note(archive).unlink(missing_ok=True)
                    archive, temporary = archive.replace(_kept(source, folder)), False
                marker = {_MARKER: json.dumps({"md5": source.md5, "url": source.url})}
                unpack(archive, folder, inside=source.folder, extra=marker, progress=progress)
                if temporary:
                    discard(archive)
    except OSError as error:
        raise DataError(f"{error.filename or dest}: {error.strerror or error}") from error
    return folder


def _is_whole(folder: Path, source: Source) -> bool:
    try:
        return json.loads((folder / _MARKER).read_text())["md5"] == source.md5
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Wait until no other process works on the same folder; a killed one holds nothing."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"{path}: waiting for another process that holds it", file=sys.stderr)
            lock.acquire(poll_interval=0.2)
    except NotImplementedError as error:
        raise DataError(f"{path.parent}: this file system has no locks; take another") from error
    try:
        yield
    finally:
        lock.release()


def _kept(source: Source, folder: Path) -> Path:
    return folder.with_name(PurePosixPath(urlsplit(source.url).path).name)


def _archive(source: Source, folder: Path) -> tuple[Path, bool]:
    """Where the archive is or comes to be, and whether it is to be fetched (and deleted at last).

    Raises DataError where the folder's place is taken or the disk has too little space.
    """
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if os.path.lexists(folder):
        raise DataError(f"{folder}: in the way, and no finished download: move or delete it")
    kept = _kept(source, folder)
    part = kept.with_name(f".{kept.name}.part")
    missing = 0 if kept.exists() else max(0, source.size - file_size(part))
    free, need = shutil.disk_usage(folder.parent).free, missing + source.unpacked + MARGIN
    if free < need:
        raise DataError(
            f"{folder.parent}: {free / 1e9:.2f} GB are free and {need / 1e9:.2f} GB are needed: "
            f"{missing / 1e9:.2f} to download, {source.unpacked / 1e9:.2f} unpacked, "
            f"{MARGIN / 1e9:.2f} to spare"
        )
    return (kept, False) if kept.exists() else (part, True)


def _check(archive: Path, source: Source, temporary: bool, progress: bool) -> None:
    """Raise DataError for another size or checksum; an archive that was fetched is removed then."""
    size, found = file_size(archive), verify(archive, source.md5_bytes, progress=progress)
    if (size, found) == (source.size, source.md5):
        return
    if temporary:
        discard(archive)
    raise DataError(
        f"{archive}: wrong checksum: expected md5 {source.md5} of {source.size:,} bytes, found "
        f"{found} of {size:,}; {'it is removed' if temporary else 'remove it'}"
    )
