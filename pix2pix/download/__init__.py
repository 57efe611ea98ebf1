"""Photographs from the web: every source -> checksum -> a folder of images.

An interrupted download resumes where it stopped (fetch.py), nothing is unpacked before its
checksum is right (unpack.py), and the folder appears whole or not at all. A new archive is one
entry of `SOURCES` (sources.py) and, where its files are no pictures yet, a layout (layouts.py).
A collection of the Library of Congress (loc.py) comes picture by picture instead (collect.py),
its mounts cut off (borders.py). Every folder has a manifest.csv that says where its pictures
come from (manifest.py). Where a notebook has data attached, kaggle.py finds it.
"""

import json
import os
import shutil
import sys
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pix2pix.download import manifest
from pix2pix.download.collect import collect
from pix2pix.download.fetch import Retry, discard, fetch, file_size, note
from pix2pix.download.kaggle import find_kaggle_input
from pix2pix.download.sources import SOURCES, Collection, Source
from pix2pix.download.unpack import unpack, verify
from pix2pix.errors import DataError
from pix2pix.terminal import is_live

__all__ = ["MARGIN", "SOURCES", "Collection", "Source", "download", "find_kaggle_input"]


MARGIN = 200_000_000  # [bytes] that stay free on the disk
_MARKER = ".pix2pix.json"  # in a folder that is whole; hidden: no training data


def download(
    name: str,
    dest: str | Path,
    *,
    source_url: str | None = None,
    keep: bool = False,
    limit: int | None = None,
    retries: int = 5,
    timeout: float = 30.0,
    backoff: float = 1.0,
    progress: bool | None = None,
) -> Path:
    """Download a source of `SOURCES` into the folder of images `dest/name`, and return it.

    A folder that is there is returned at once. `source_url` is a mirror of the same archive or
    listing. An archive is deleted after unpacking unless `keep`; one that lies in `dest` already is
    used. A collection fills its folder picture by picture, at the rate its owner asks for; with a
    `limit`, until there are so many. manifest.csv in the folder says where the pictures are from: a
    line each for a collection, one for an archive.

    Retries up to `retries` times, with exponential backoff from `backoff` seconds on; each attempt
    times out after `timeout` seconds without a byte, and one that brings some is no retry.
    `progress` shows bars; by default on a terminal and in notebooks. An interrupted download,
    Ctrl-C included, is resumed by the same call. Several processes may call it at once: one
    downloads, the others wait for it.

    Raises DataError, in one line: no such source, no space, no connection, wrong checksum, a folder
    that cannot be written or that something else is in, a limit where there is none.
    """
    if name not in SOURCES:
        raise DataError(f"no such source; there are {', '.join(SOURCES)}", name)
    source, folder = SOURCES[name], Path(dest) / name
    url = source_url or source.url
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise DataError("not an address of the web (http:// or https://)", url)
    if limit is not None and (limit < 1 or isinstance(source, Source)):
        ones = ", ".join(n for n, s in SOURCES.items() if isinstance(s, Collection))
        raise DataError(f"a limit of {limit}: give 1 or more, and only to {ones}", name)
    if _is_whole(folder, source):
        return folder
    retry = Retry(retries, timeout, backoff)
    progress = is_live() if progress is None else progress
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder.with_name(f".{name}.lock")):
            if _is_whole(folder, source):  # another process may have made it meanwhile
                pass
            elif isinstance(source, Source):
                _download_archive(source, folder, url, keep, retry, progress)
            else:
                _download_collection(source, folder, url, limit, retry, progress)
    except OSError as error:
        raise DataError(f"{error.filename or dest}: {error.strerror or error}") from error
    return folder


def _download_archive(
    source: Source, folder: Path, url: str, keep: bool, retry: Retry, progress: bool
) -> None:
    archive, temporary = _archive(source, folder)
    if temporary:
        fetch(
            url,
            archive,
            size=source.size,
            retry=retry,
            progress=progress,
            about=source.about,
        )
    sha256, kept = _check(archive, source, temporary, progress), _kept(source, folder)
    if temporary and keep:
        note(archive).unlink(missing_ok=True)
        archive, temporary = archive.replace(kept), False
    place = date = ""
    entry = manifest.Entry(kept.name, folder.name, place, date, url, source.terms, sha256)
    unpack(
        archive,
        folder,
        inside=source.folder,
        layout=source.layout,
        extra={_MARKER: _mark(source), manifest.NAME: manifest.table([entry])},
        progress=progress,
    )
    if temporary:
        discard(archive)


def _download_collection(
    source: Collection, folder: Path, url: str, limit: int | None, retry: Retry, progress: bool
) -> None:
    table = folder / manifest.NAME
    taken = os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir()))
    if taken and not manifest.is_one(table):
        raise DataError("in the way, and no part of this download: move or delete it", folder)
    missing = max(0, (limit or source.count) - len(manifest.read(table)))
    _check_space(folder, source.size * missing // source.count, 0)
    folder.mkdir(exist_ok=True)
    if collect(url, folder, rights=source.terms, limit=limit, retry=retry, progress=progress):
        (folder / _MARKER).write_text(_mark(source))
    if not manifest.read(table):
        raise DataError("no pictures in it", url)


def _is_whole(folder: Path, source: Source | Collection) -> bool:
    key = "md5" if isinstance(source, Source) else "url"  # an archive may be at many addresses
    try:
        marked = json.loads((folder / _MARKER).read_text())
        return bool(marked[key] == getattr(source, key))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _mark(source: Source | Collection) -> str:
    md5 = {"md5": source.md5} if isinstance(source, Source) else {}
    return json.dumps({**md5, "url": source.url})


def _lock(path: Path) -> AbstractContextManager[object]:
    """Wait for a lock against other processes; `with` releases it, and so does a process' end."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print(f"{path}: waiting for another process that holds it", file=sys.stderr)
        return lock.acquire(poll_interval=0.2)
    except NotImplementedError as error:
        raise DataError(f"{path.parent}: this file system has no locks; take another") from error


def _kept(source: Source, folder: Path) -> Path:
    return folder.with_name(PurePosixPath(urlsplit(source.url).path).name)


def _archive(source: Source, folder: Path) -> tuple[Path, bool]:
    """The archive's path, and whether it is to be downloaded (and deleted after unpacking).

    Raises DataError where the folder's place is taken or the disk has too little space.
    """
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if os.path.lexists(folder):
        raise DataError("in the way, and no finished download: move or delete it", folder)
    kept = _kept(source, folder)
    part = kept.with_name(f".{kept.name}.part")
    missing = 0 if kept.exists() else max(0, source.size - file_size(part))
    _check_space(folder, missing, source.unpacked)
    return (kept, False) if kept.exists() else (part, True)


def _check_space(folder: Path, download: int, unpacked: int) -> None:
    """Raise DataError where the disk has too little space for so many bytes."""
    free, need = shutil.disk_usage(folder.parent).free, download + unpacked + MARGIN
    if free < need:
        raise DataError(
            f"{folder.parent}: {free / 1e9:.2f} GB are free and {need / 1e9:.2f} GB are needed: "
            f"{download / 1e9:.2f} to download, {unpacked / 1e9:.2f} unpacked, "
            f"{MARGIN / 1e9:.2f} to spare"
        )


def _check(archive: Path, source: Source, temporary: bool, progress: bool) -> str:
    """The archive's sha256.

    Raises DataError for another size or md5; an archive that was fetched is removed then.
    """
    size, (found, sha256) = file_size(archive), verify(archive, source.md5_bytes, progress=progress)
    if found == source.md5 and (source.about or size == source.size):
        return sha256
    if temporary:
        discard(archive)
    raise DataError(
        f"{archive}: wrong checksum: expected md5 {source.md5} of {source.size:,} bytes, found "
        f"{found} of {size:,}; {'it is removed' if temporary else 'remove it'}"
    )
