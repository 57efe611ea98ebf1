"""Sidecars: XMP files beside a photo, `a.jpg.xmp` (darktable, digiKam) or `a.xmp` (Adobe).

They say what the photo itself may lack. Source: Adobe XMP Specification, part 3, 3.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from pix2pix import files
from pix2pix.errors import PhotoError
from pix2pix.images.formats import EXTENSIONS
from pix2pix.images.metadata import provenance, xmp
from pix2pix.images.reading import Photo
from pix2pix.images.task import COLOR, Task

_SUFFIXES = (".xmp", ".XMP")


@dataclass(frozen=True)
class Sidecar:
    """One file beside a photo."""

    path: str
    whole_name: bool  # whether it is named for the photo with its extension
    data: bytes


def find(
    photo: str,
    *,
    warnings: list[str],
    exists: Callable[[str], bool] = os.path.lexists,
    read: Callable[..., bytes] = files.read_bytes,
) -> list[Sidecar]:
    """Find the sidecars of the photo at a path, the more exactly named first.

    What is no regular file, is too large or cannot be read is named and left. `exists` and
    `read(path, max_bytes=...)` say so of places that are no folder.
    """
    found: list[Sidecar] = []
    stem, extension = os.path.splitext(photo)
    for whole, start in [(True, photo), (False, stem)][: 2 if extension else 1]:
        path = next((start + s for s in _SUFFIXES if exists(start + s)), None)
        if path is None or path == photo:
            continue
        try:
            data = read(path, max_bytes=xmp.MAX_BYTES)
        except PhotoError as error:
            warnings.append(f"sidecar {os.path.basename(path)!r} ignored: {error.reason}")
            continue
        if whole or _is_for(data, extension):
            found.append(Sidecar(path, whole, data))
    return found


def _is_for(data: bytes, extension: str) -> bool:
    """Whether `a.xmp` is not that of another photo, such as a raw file of the same name."""
    try:
        named = xmp.Packet(data).values((xmp.PHOTOSHOP, "SidecarForExtension"))
    except xmp.ERRORS:
        return True
    kinds = {EXTENSIONS.get(f".{name.lower().lstrip('.')}", name.lower()) for name in named}
    own = extension.lower()
    return not kinds or EXTENSIONS.get(own, own) in kinds


def add(photo: Photo, path: str) -> Photo:
    """Find the sidecars of a photo that was read from `path`, and merge them into it."""
    warnings: list[str] = []
    found = find(path, warnings=warnings)
    if not found and not warnings:
        return photo
    return merge(replace(photo, warnings=photo.warnings + warnings), found)


def merge(photo: Photo, found: list[Sidecar]) -> Photo:
    """Merge sidecars into a photo's XMP; where both have a property, the photo's is kept.

    Differences and sidecars that cannot be used are added to its warnings.
    """
    warnings: list[str] = []
    packet = photo.xmp
    for sidecar in found:
        name = os.path.basename(sidecar.path)
        try:
            other = xmp.Packet(sidecar.data)
            own = xmp.usable(packet, [])  # named when the copy is written
            differ = sorted({name for uri, name in own.merge(other) if _counts(uri, name)})
            packet = own.to_bytes()
        except xmp.ERRORS as error:
            warnings.append(f"sidecar {name!r} ignored: {error}")
            continue
        if differ:
            warnings.append(f"sidecar {name!r} says otherwise, not taken: {', '.join(differ)}")
    return replace(photo, xmp=packet, warnings=photo.warnings + warnings)


def _counts(uri: str, name: str) -> bool:
    return not provenance.is_stale(uri, name, keep_gps=True)


def copy(
    photo: str,
    dest: str,
    *,
    model: str,
    task: Task = COLOR,
    keep_gps: bool,
    overwrite: bool = False,
) -> list[str]:
    """Write the sidecars of `photo` beside its copy at `dest`, with what still holds; warnings.

    `a.jpg.xmp` becomes `a.color.jpg.xmp`, `a.xmp` becomes `a.color.xmp`, with the time and the mode
    of the file that it is made of. One that is there stays, unless `overwrite`.
    """
    found = find(photo, warnings=[])  # what is wrong there was said when it was read
    new = [s for s in found if overwrite or not os.path.lexists(_target(dest, s))]
    return write(new, dest, _write, model=model, task=task, keep_gps=keep_gps)


def _write(target: str, data: bytes, sidecar: Sidecar) -> None:
    files.write_bytes(data, target, source=os.stat(sidecar.path))


def _target(dest: str, sidecar: Sidecar) -> str:
    return (dest if sidecar.whole_name else os.path.splitext(dest)[0]) + _SUFFIXES[0]


def write(
    found: Iterable[Sidecar],
    dest: str,
    put: Callable[[str, bytes, Sidecar], object],
    *,
    model: str,
    task: Task,
    keep_gps: bool,
) -> list[str]:
    """Have `put(path, data, sidecar)` write each, stamped for the copy at `dest`; warnings."""
    extension = os.path.splitext(dest)[1]
    warnings: list[str] = []
    for sidecar in found:
        try:
            packet = xmp.Packet(sidecar.data)
            name = EXTENSIONS.get(extension.lower(), "")
            provenance.stamp(packet, model=model, task=task, name=name, keep_gps=keep_gps)
            put(_target(dest, sidecar), packet.to_bytes(), sidecar)
        except (*xmp.ERRORS, PhotoError, OSError) as error:
            warnings.append(f"sidecar {os.path.basename(sidecar.path)!r} not copied: {error}")
    return warnings
