"""Serialize EXIF: as a block of its own, or as entries of a finished TIFF.

The maker's note stays at its place where it can, since cameras put offsets into it.
"""

import io
import struct
from collections.abc import Iterator

from pix2pix.images.metadata import exif
from pix2pix.images.tiff import structure


def to_bytes(block: exif.Block) -> bytes:
    """Serialize a block with its header, as JPEG, PNG, WebP and AVIF carry it."""
    file = io.BytesIO()
    magic = b"II*\0" if block.order == "<" else b"MM\0*"
    file.write(magic + struct.pack(block.order + "I", 8))
    main = dict(block.main)
    pointers = [
        (tag, directory)
        for tag, directory in ((exif.EXIF_IFD, block.details), (exif.GPS_IFD, block.gps))
        if directory
    ]
    for tag, _ in pointers:
        main[tag] = block.long(0)
    start = _write(file, main, block.order)
    for tag, directory in pointers:
        _align(file)
        place = _write(file, directory, block.order, note_at=block.note_at)
        main[tag] = block.long(place)
    end = file.tell()
    file.seek(start)
    _write(file, main, block.order)  # the same bytes again, now with the pointers
    file.seek(end)
    return exif.HEAD + file.getvalue()


def attach(file: io.BytesIO, block: exif.Block, packets: exif.Directory) -> None:
    """Insert the block's entries, and `packets`, into the directory of a finished TIFF.

    Packets have bytes and no byte order, whatever their type is. All are appended as they are:
    libtiff, which refuses some values, does not see them.
    """
    with file.getbuffer() as view:
        head = structure.header(view)
        places = structure.positions(view, head, head.first)
        entries = {head.number(view[at : at + 2]): bytes(view[at : at + 12]) for at in places}
    order = head.order
    block = block.in_order(order)
    file.seek(0, io.SEEK_END)
    for tag, directory in ((exif.EXIF_IFD, block.details), (exif.GPS_IFD, block.gps)):
        if directory:
            _align(file)
            place = _write(file, directory, order)
            entries[tag] = struct.pack(order + "HHII", tag, exif.LONG, 1, place)
    for tag, entry in (block.main | packets).items():
        entries[tag] = _packed(file, tag, entry, order)
    _align(file)
    start = file.tell()
    file.write(struct.pack(order + "H", len(entries)))
    file.writelines(entries[tag] for tag in sorted(entries))
    file.write(bytes(4))  # no further page
    file.seek(4)
    file.write(struct.pack(order + "I", start))


def _write(file: io.BytesIO, directory: exif.Directory, order: str, *, note_at: int = 0) -> int:
    """Write a directory, then its values, from here on -> where it begins."""
    start = file.tell()
    size = 2 + 12 * len(directory) + 4
    file.write(bytes(size))
    packed = {
        tag: _packed(file, tag, entry, order) for tag, entry in _last_note(directory, note_at, file)
    }
    end = file.tell()
    file.seek(start)
    file.write(struct.pack(order + "H", len(packed)))
    file.writelines(packed[tag] for tag in sorted(packed))
    file.write(bytes(4))
    file.seek(end)
    return start


def _last_note(
    directory: exif.Directory, note_at: int, file: io.BytesIO
) -> Iterator[tuple[int, exif.Entry]]:
    """The entries, the maker's note last, and the file filled up to where it was."""
    for tag, entry in sorted(directory.items()):
        if tag != exif.MAKER_NOTE:
            yield tag, entry
    if exif.MAKER_NOTE in directory:
        gap = note_at - file.tell()
        file.write(bytes(gap if 0 < gap <= 4096 else 0))
        yield exif.MAKER_NOTE, directory[exif.MAKER_NOTE]


def _packed(file: io.BytesIO, tag: int, entry: exif.Entry, order: str) -> bytes:
    """The 12 bytes of an entry; values that do not fit are written first."""
    head = struct.pack(order + "HHI", tag, entry.kind, entry.count)
    if len(entry.data) <= 4:
        return head + entry.data.ljust(4, b"\0")
    _align(file)
    place = file.tell()
    file.write(entry.data)
    return head + struct.pack(order + "I", place)


def _align(file: io.BytesIO) -> None:
    file.write(bytes(file.tell() & 1))
