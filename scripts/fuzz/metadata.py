"""What cameras and archives put into files, as bytes: EXIF, XMP, IPTC-IIM, Photoshop, ICC."""

import struct

from PIL import Image, ImageCms

_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 2, 3, 4, 5, 7
_SIZE = {1: 1, _ASCII: 1, _SHORT: 2, _LONG: 4, _RATIONAL: 8, _UNDEFINED: 1}
Entry = tuple[int, int, bytes]


def text(tag: int, value: str) -> Entry:
    return tag, _ASCII, value.encode() + b"\0"


def numbers(tag: int, kind: int, *values: int, order: str = "<") -> Entry:
    return tag, kind, struct.pack(f"{order}{len(values)}{'H' if kind == _SHORT else 'I'}", *values)


def directory(entries: list[Entry], offset: int, following: int = 0, order: str = "<") -> bytes:
    """A TIFF directory that stands at `offset`, the values that do not fit behind it."""
    entries = sorted(entries)
    behind = offset + 2 + 12 * len(entries) + 4
    fields, values = b"", b""
    for tag, kind, raw in entries:
        place = raw.ljust(4, b"\0")
        if len(raw) > 4:
            place = struct.pack(order + "I", behind + len(values))
            values += raw + bytes(len(raw) & 1)
        fields += struct.pack(order + "HHI", tag, kind, len(raw) // _SIZE[kind]) + place
    head = struct.pack(order + "H", len(entries))
    return head + fields + struct.pack(order + "I", following) + values


def exif(order: str = "<", orientation: int = 6) -> bytes:
    """EXIF with a thumbnail, Exif and GPS directories, a maker note, UTF-8 and Windows text."""

    def number(tag: int, kind: int, *values: int) -> Entry:
        return numbers(tag, kind, *values, order=order)

    details = [
        number(0x829A, _RATIONAL, 1, 125),
        text(0x9003, "2001:02:03 04:05:06"),
        (0x927C, _UNDEFINED, b"Nikon\0\2\x10" + bytes(24)),
        (0x9286, _UNDEFINED, b"UNICODE\0" + "Größe".encode("utf-16-le")),
        number(0xA001, _SHORT, 65535),
        number(0xA002, _LONG, 48),
        number(0xA003, _LONG, 32),
        number(0xA005, _LONG, 8),
    ]
    place = [
        (0, 1, b"\2\3\0\0"),
        text(1, "N"),
        number(2, _RATIONAL, 51, 1, 30, 1, 0, 1),
        text(3, "E"),
        number(4, _RATIONAL, 13, 1, 24, 1, 0, 1),
    ]
    main = [
        text(270, "Großmutter, Café"),
        text(271, "Maker"),
        number(274, _SHORT, orientation),
        number(282, _RATIONAL, 300, 1),
        number(283, _RATIONAL, 300, 1),
        number(296, _SHORT, 2),
        text(315, "José"),
        text(33432, "(c)"),
        (40091, 1, "Títel".encode("utf-16-le") + b"\0\0"),
    ]
    thumbnail = b"\xff\xd8\xff\xdb\0\4\0\0\xff\xd9"
    # The places are known once the lengths are; two rounds settle them.
    at = {"details": 0, "place": 0, "second": 0, "thumbnail": 0}
    for _ in range(2):
        body = directory(
            [*main, number(0x8769, _LONG, at["details"]), number(0x8825, _LONG, at["place"])],
            8,
            at["second"],
            order,
        )
        for name, entries in (("details", details), ("place", place)):
            at[name] = 8 + len(body)
            body += directory(entries, at[name], 0, order)
        at["second"] = 8 + len(body)
        points = [number(513, _LONG, at["thumbnail"]), number(514, _LONG, len(thumbnail))]
        body += directory([number(259, _SHORT, 6), *points], at["second"], 0, order)
        at["thumbnail"] = 8 + len(body)
        body += thumbnail
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return head + body


def xmp(*, extended: str = "") -> bytes:
    """A packet with titles in two languages, a comment, GPS, develop settings."""
    note = f'xmpNote:HasExtendedXMP="{extended}" ' if extended else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- by hand -->'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
        'xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" '
        'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
        f'{note}tiff:Orientation="6" exif:GPSLatitude="51,30N" crs:ConvertToGrayscale="True">'
        '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Größe &lt;1&gt;</rdf:li>'
        '<rdf:li xml:lang="fr">Taille</rdf:li></rdf:Alt></dc:title>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    ).encode()


def extended_xmp(digest: str = "0123456789ABCDEF" * 2) -> tuple[bytes, bytes]:
    """The packet that names an extension, and the extension's APP1 content."""
    body = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a long story"/>'
        b"</rdf:RDF></x:xmpmeta>"
    )
    head = b"http://ns.adobe.com/xmp/extension/\0" + digest.encode()
    return xmp(extended=digest), head + struct.pack(">II", len(body), 0) + body


def iptc() -> bytes:
    """IPTC-IIM: UTF-8 announced, title, caption, place, two keywords, an extended length."""

    def record(number: int, field: int, value: bytes) -> bytes:
        return struct.pack(">BBBH", 0x1C, number, field, len(value)) + value

    return b"".join(
        [
            record(1, 90, b"\x1b%G"),
            record(2, 0, b"\0\4"),
            record(2, 5, "Großmutter".encode()),
            record(2, 25, b"family"),
            record(2, 25, b"garden"),
            record(2, 90, "Łódź".encode()),
            b"\x1c\x02\x78\x80\x04" + struct.pack(">I", 7) + b"Caption",
        ]
    )


def photoshop() -> bytes:
    """Image resources: IPTC-IIM, resolution, a caption digest."""

    def resource(number: int, value: bytes) -> bytes:
        head = b"8BIM" + struct.pack(">HHI", number, 0, len(value))
        return head + value + bytes(len(value) & 1)

    inches = struct.pack(">IHHIHH", 300 << 16, 1, 1, 300 << 16, 1, 1)
    return resource(1005, inches) + resource(1028, iptc()) + resource(1061, bytes(16))


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def gray_profile(gamma: int = 461) -> bytes:
    """A gray ICC profile of gamma 461 / 256 = 1.8, the least that LittleCMS takes."""
    tags = [
        (b"wtpt", b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)),
        (b"kTRC", b"curv\0\0\0\0" + struct.pack(">IHH", 1, gamma, 0)),
    ]
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags:
        at = 128 + 4 + 12 * len(tags) + len(body)
        table, body = table + struct.pack(">4sII", name, at, len(value)), body + value
    head = struct.pack(">I4sI", 128 + len(table + body), b"", 0x02400000) + b"mntrGRAYXYZ "
    head = head.ljust(36, b"\0") + b"acsp" + bytes(28)
    return (head + struct.pack(">3i", 63190, 65536, 54061)).ljust(128, b"\0") + table + body


def pillow_exif() -> Image.Exif:
    """The same EXIF for encoders that want Pillow's object."""
    found = Image.Exif()
    found.load(b"Exif\0\0" + exif())
    return found
