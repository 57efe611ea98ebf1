"""Archives, tar.gz and zip: their checksum, and the pictures in them as a folder."""

import gzip
import hashlib
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pix2pix.download.fetch import BLOCK, discard, file_size, make_bar
from pix2pix.errors import DataError

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    RuntimeError,  # a zip that is encrypted, or compressed in a way that is not known
)


def verify(archive: Path, first: int | None, *, progress: bool) -> str:
    """The md5 of a file, or of its `first` bytes, in hexadecimal digits."""
    left = file_size(archive) if first is None else min(first, file_size(archive))
    digest = hashlib.md5(usedforsecurity=False)
    with archive.open("rb") as file, make_bar("verify", left, shown=progress) as bar:
        while block := file.read(min(BLOCK, left)):
            digest.update(block)
            bar.update(len(block))
            left -= len(block)
    return digest.hexdigest()


def unpack(
    archive: Path, folder: Path, *, inside: str, extra: Mapping[str, str], progress: bool
) -> None:
    """Put the pictures under `inside` of an archive into `folder`, with `extra` text files by name.

    The folder is there afterwards or not at all. Raises DataError when there are no pictures, and
    when the archive is broken or names files outside of it; it is removed then.
    """
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    extract = _extract_zip if zipfile.is_zipfile(archive) else _extract_tar
    count = 0
    try:
        temporary.mkdir()
        with make_bar("unpack", None, shown=progress, unit="img") as bar:
            for _ in extract(archive, inside, temporary):
                count += 1
                bar.update()
        if not count:
            raise DataError(f"{archive}: no pictures in it under {inside or '.'}")
        for name, text in extra.items():
            (temporary / name).write_text(text)
        temporary.replace(folder)
    except _BROKEN as error:
        discard(archive)
        raise DataError(f"{archive}: broken, and removed: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract_tar(archive: Path, folder: str, dest: Path) -> Iterator[str]:
    with gzip.open(archive) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                place = _place(member.name, folder)
                data = tar.extractfile(member) if place and member.isreg() else None
                if place and data:  # copied by hand: Debian 12's Python has no tarfile filters
                    (dest / place).parent.mkdir(parents=True, exist_ok=True)
                    with (dest / place).open("wb") as file:
                        shutil.copyfileobj(data, file, BLOCK)
                    yield place
        while stream.read(BLOCK):  # to the end, where gzip compares its CRC
            pass


def _extract_zip(archive: Path, folder: str, dest: Path) -> Iterator[str]:
    with zipfile.ZipFile(archive) as pack:
        for member in pack.infolist():
            place = _place(member.filename, folder)
            if place and not member.is_dir():
                member.filename = place
                pack.extract(member, dest)
                yield place


def _place(member: str, folder: str) -> str | None:
    """Where a member of an archive goes, relative to `folder`; None for all but pictures.

    Raises tarfile.TarError for a name that points out of the archive.
    """
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts:
        raise tarfile.TarError(f"{member!r} points out of the archive")
    if not path.is_relative_to(folder):
        return None
    inside = path.relative_to(folder)
    taken = all(map(is_shown, inside.parts)) and is_picture(inside.name)
    return inside.as_posix() if taken else None


def is_shown(name: str) -> bool:
    """Whether a file or folder counts: no hidden one, no copy that a Mac makes."""
    return not name.startswith(".") and name != "__MACOSX"


def is_picture(name: str) -> bool:
    """Whether a file is a picture, by its suffix, and counts."""
    from pix2pix.images import EXTENSIONS

    return is_shown(name) and os.path.splitext(name)[1].lower() in EXTENSIONS
