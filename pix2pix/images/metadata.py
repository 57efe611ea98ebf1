"""EXIF and XMP: what is kept, what is stale, and the statement that a model added the color.

Nothing here carries the time: the same input gives the same bytes.
"""

import re
from typing import Any
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from PIL import Image

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
DIRECTORIES = (EXIF_IFD, GPS_IFD)
_ORIENTATION = 0x0112
_PIXEL_WIDTH, _PIXEL_HEIGHT, _COLOR_SPACE, _INTEROP = 0xA002, 0xA003, 0xA001, 0xA005
_MAKER_NOTE = 0x927C
# Descriptions of the photo. Tags that describe the old file (strips, photometry) stay behind.
_KEPT = frozenset(
    [269, 270, 271, 272, 282, 283, 285, 296, 305, 306, 315, 316, 18246, 18249, 33432]
    + [40091, 40092, 40093, 40094, 40095, *DIRECTORIES]
)
_MAX_EXIF = 32 * 1024
_MAX_XMP = 60 * 1024  # one JPEG segment

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_XMP_NOTE = "http://ns.adobe.com/xmp/note/"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_STALE = {
    (_TIFF, "Orientation"),
    (_XMP, "Thumbnails"),
    (_XMP_NOTE, "HasExtendedXMP"),
    (_IPTC, "DigitalSourceType"),
    (_IPTC, "AISystemUsed"),
}
_EMPTY = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
    '<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>'
)


def orientation(exif: Image.Exif) -> int:
    """1 to 8; anything else that a file states counts as 1, upright."""
    value = exif.get(_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def resolution(info: dict[Any, Any]) -> tuple[float, float] | None:
    """Dots per inch, where the file states a possible figure."""
    try:
        x, y = (float(value) for value in info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    # 1 is what Pillow says when a TIFF states nothing.
    return (x, y) if 1 < x < 65536 and 1 < y < 65536 else None


def xmp_packet(info: dict[Any, Any]) -> bytes | None:
    """The XMP packet, from wherever the format keeps it."""
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp")
    if isinstance(packet, str):
        packet = packet.encode()
    return packet if isinstance(packet, bytes) else None


def clean_exif(exif: Image.Exif, *, warnings: list[str]) -> bytes | None:
    """EXIF bytes to carry on: descriptions, Exif and GPS; no thumbnail, orientation 1."""
    try:
        kept = Image.Exif()
        for tag in sorted(_KEPT & set(exif)):
            kept[tag] = _directory(exif, tag) if tag in DIRECTORIES else exif[tag]
        if not len(kept):
            return None
        kept[_ORIENTATION] = 1
        data = kept.tobytes()
        if len(data) > _MAX_EXIF and _MAKER_NOTE in kept.get(EXIF_IFD, {}):
            del kept[EXIF_IFD][_MAKER_NOTE]
            data = kept.tobytes()
    except Exception as error:  # Pillow raises a dozen kinds on broken EXIF
        warnings.append(f"EXIF ignored: {error or type(error).__name__}")
        return None
    if len(data) > _MAX_EXIF:
        warnings.append(f"EXIF ignored: {len(data):,} bytes")
        return None
    return data


def _directory(exif: Image.Exif, tag: int) -> dict[int, Any]:
    directory = dict(exif.get_ifd(tag))
    if EXIF_IFD in directory or GPS_IFD in directory:
        raise ValueError("a directory that points at itself")
    directory.pop(_INTEROP, None)
    if _COLOR_SPACE in directory:
        directory[_COLOR_SPACE] = 1  # sRGB, since the pixels are
    return directory


def final_exif(data: bytes | None, *, size: tuple[int, int], keep_gps: bool) -> Image.Exif:
    """The EXIF of the file to be written: its own width and height, GPS only if asked for.

    The Exif and GPS directories in it are dicts.
    """
    exif = Image.Exif()
    exif.load(data or b"")
    final = Image.Exif()
    for tag in exif:
        if tag != GPS_IFD or keep_gps:
            final[tag] = dict(exif.get_ifd(tag)) if tag in DIRECTORIES else exif[tag]
    details = final.get(EXIF_IFD, {})
    for tag, value in zip((_PIXEL_WIDTH, _PIXEL_HEIGHT), size, strict=True):
        if tag in details:
            details[tag] = value
    return final


def provenance(xmp: bytes | None, *, model: str, keep_gps: bool, warnings: list[str]) -> bytes:
    """The input's XMP packet with the IPTC digital source type and the model's name put in."""
    system = "Pix2PixColor " + "".join(filter(str.isprintable, model))
    document = _parse(xmp, warnings)
    root = document.documentElement
    assert root is not None
    for element in list(document.getElementsByTagName("*")):
        _drop_stale(element, keep_gps=keep_gps)
    description = document.getElementsByTagNameNS(_RDF, "Description")[0]
    for prefix, uri in (("Iptc4xmpExt", _IPTC), ("xmp", _XMP)):
        description.setAttribute(f"xmlns:{prefix}", uri)
    description.setAttributeNS(_IPTC, "Iptc4xmpExt:DigitalSourceType", SOURCE_TYPE)
    description.setAttributeNS(_IPTC, "Iptc4xmpExt:AISystemUsed", system)
    if not document.getElementsByTagNameNS(_XMP, "CreatorTool"):
        description.setAttributeNS(_XMP, "xmp:CreatorTool", system)
    body = root.toxml()
    head = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    return f'{head}{body}<?xpacket end="w"?>'.encode()


def _parse(xmp: bytes | None, warnings: list[str]) -> minidom.Document:
    if xmp:
        try:
            return _parse_packet(xmp)
        except (ExpatError, ValueError, LookupError) as error:
            warnings.append(f"XMP ignored: {error}")
    return minidom.parseString(_EMPTY)


def _parse_packet(xmp: bytes) -> minidom.Document:
    if len(xmp) > _MAX_XMP:
        raise ValueError(f"{len(xmp):,} bytes")
    text = xmp.strip(b"\x00 \r\n\t")
    if b"<!" in text or b"\0" in text:  # a DTD (entities, external files), or one in UTF-16
        raise ValueError("holds a document type")
    document = minidom.parseString(re.sub(rb"<\?xpacket.*?\?>", b"", text, flags=re.DOTALL))
    if not document.getElementsByTagNameNS(_RDF, "Description"):
        raise ValueError("no rdf:Description")
    return document


def _is_stale(uri: str | None, name: str, keep_gps: bool) -> bool:
    if name.upper().startswith("GPS"):  # of exif:, and of the makers of drones
        return not keep_gps
    return (uri, name) in _STALE


def _drop_stale(element: minidom.Element, *, keep_gps: bool) -> None:
    """Takes what no longer holds out of an element's attributes and children."""
    for attribute in list(element.attributes.values()):
        if _is_stale(attribute.namespaceURI, attribute.localName, keep_gps):
            element.removeAttributeNode(attribute)
    for child in list(element.childNodes):
        if child.nodeType == child.ELEMENT_NODE and _is_stale(
            child.namespaceURI, child.localName, keep_gps
        ):
            element.removeChild(child)
