"""The metadata of a copy: its photo's, as far as it still holds, and which model made it.

EXIF, XMP, IPTC and comments go where they were if the copy's format has that place, else into XMP,
else into a warning. Nothing here carries the time: the same input gives the same bytes.
"""

from dataclasses import dataclass, field
from typing import Protocol

from pix2pix.images.metadata import captions, exif_kept, provenance, regions, segments, texts, xmp
from pix2pix.images.metadata.exif import Block
from pix2pix.images.metadata.texts import Text
from pix2pix.images.task import COLOR, Task

_HAS_IPTC, _HAS_TEXT = ("JPEG", "TIFF"), ("PNG",)


class HasSaid(Protocol):
    """Anything with the metadata of its file, such as a Photo."""

    exif: bytes | None
    xmp: bytes | None
    resources: dict[int, bytes]
    texts: list[Text]
    turned: int


@dataclass
class Statement:
    """The metadata of a copy, in the shape of its format."""

    exif: Block | None
    xmp: bytes
    extension: bytes = b""  # what does not fit into JPEG's one segment of XMP
    resources: dict[int, bytes] = field(default_factory=dict)
    texts: list[Text] = field(default_factory=list)


def compose(
    like: HasSaid,
    *,
    name: str,
    size: tuple[int, int],
    model: str,
    task: Task = COLOR,
    keep_gps: bool,
    warnings: list[str],
) -> Statement:
    """Compose the metadata of a copy in format `name`: `like`'s that still holds, and the model."""
    words = [text for text in like.texts if keep_gps or not text.of_place]
    packet = xmp.usable(like.xmp, warnings)
    provenance.stamp(packet, model=model, task=task, name=name, keep_gps=keep_gps)
    regions.turn(packet, like.turned)
    resources = dict(like.resources)
    if name not in _HAS_IPTC:
        captions.add_iptc(packet, resources, warnings=warnings)
        resources = {}
    if name not in _HAS_TEXT:
        keyword = texts.COMMENT if name == "JPEG" else None
        captions.add_texts(packet, [text for text in words if text.keyword != keyword])
        words = [text for text in words if text.keyword == keyword]
    limit = segments.XMP_LIMIT if name == "JPEG" else 2 * xmp.MAX_BYTES
    main, extension = packet.split(limit)
    if len(main) > limit:
        warnings.append(f"XMP ignored: {len(main):,} bytes, more than {name} holds")
        packet = xmp.Packet()
        provenance.stamp(packet, model=model, task=task, name=name, keep_gps=keep_gps)
        main, extension = packet.to_bytes(), b""
    block = exif_kept.final(like.exif, size=size, name=name, keep_gps=keep_gps)
    return Statement(block, main, extension, resources, words)
