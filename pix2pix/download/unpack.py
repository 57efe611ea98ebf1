"""Archives, tar.gz and zip: their checksum, and the pictures in them as a folder."""

import gzip
import hashlib
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pix2pix.download.fetch import BLOCK, discard, file_size, make_bar
from pix2pix.download.layouts import Layout, LayoutError, Member, is_picture, is_shown
from pix2pix.errors import DataError

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    LayoutError,
    RuntimeError,  # a zip that is encrypted, or compressed in a way that is not known
)


def verify(archive: Path, first: int | None, *, progress: bool) -> tuple[str, str]:
    """The md5 of a file, or of its `first` bytes, and the sha256 of all, in hexadecimal digits."""
    size = file_size(archive)
    left = size if first is None else min(first, size)
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with archive.open("rb") as file, make_bar("verify", size, shown=progress) as bar:
        while block := file.read(BLOCK):
            md5.update(block[:left])
            sha256.update(block)
            left = max(0, left - len(block))
            bar.update(len(block))
    return md5.hexdigest(), sha256.hexdigest()


def unpack(
    archive: Path,
    folder: Path,
    *,
    inside: str,
    layout: Layout,
    extra: Mapping[str, str],
    progress: bool,
) -> None:
    """Put what `layout` makes of the files under `inside` of an archive into `folder`.

    `extra` are text files to put there, by name. The folder is there afterwards or not at all.
    Raises DataError when there are no pictures, and when the archive is broken or names files
    outside of it; it is removed then.
    """
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    members = _open_zip if zipfile.is_zipfile(archive) else _open_tar
    count = 0
    try:
        temporary.mkdir()
        with make_bar("unpack", None, shown=progress, unit="img") as bar:
            for path, data in layout(members(archive, inside)):
                place = temporary / _safe(path)
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("wb") as file:
                    shutil.copyfileobj(data, file, BLOCK)
                count += 1
                bar.update()
        if not count:
            raise DataError(f"no pictures in it under {inside or '.'}", archive)
        for name, text in extra.items():
            (temporary / name).write_text(text, encoding="utf-8", newline="")
        temporary.replace(folder)
    except _BROKEN as error:
        discard(archive)
        raise DataError(f"broken, and removed: {error}", archive) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _open_tar(archive: Path, folder: str) -> Iterator[Member]:
    with gzip.open(archive) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                path = _inside(member.name, folder)
                data = tar.extractfile(member) if path and member.isreg() else None
                if path and data:  # copied by hand: Debian 12's Python has no tarfile filters
                    yield path, data
        while stream.read(BLOCK):  # to the end, where gzip compares its CRC
            pass


def _open_zip(archive: Path, folder: str) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as pack:
        found = [(_inside(info.filename, folder), info) for info in pack.infolist()]
        found.sort(key=lambda pair: is_picture(pair[1].filename))  # texts first; else as they come
        for path, info in found:
            if path and not info.is_dir():
                with pack.open(info) as data:
                    yield path, data


def _inside(member: str, folder: str) -> str | None:
    """The path of an archive's member relative to `folder`; None outside and for hidden ones.

    Raises tarfile.TarError for a name that points out of the archive.
    """
    path = _safe(member)
    if not path.is_relative_to(folder):
        return None
    inside = path.relative_to(folder)
    return inside.as_posix() if inside.name and all(map(is_shown, inside.parts)) else None


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise tarfile.TarError(f"{name!r} points out of the archive")
    return path
