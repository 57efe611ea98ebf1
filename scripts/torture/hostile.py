"""Pictures of less than a kilobyte that claim, or really hold, very many pixels."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator

from fuzz.drawings import gray, saved
from fuzz.mutate import replaced
from fuzz.seeds import chunk, seeds, segment
from fuzz.structure import PNG, layout, repaired
from PIL import Image

LIMIT = 1000  # bytes
_SIDES = ((10_000, 10_000), (65_535, 65_535), (65_535, 1_500), (12, 8_000_000))
_VALUES = (0xFFFFFFFF, 0x7FFFFFFF, 65_535, 9_999, 4_000, 0)


Size = tuple[int, int]


def _gif(screen: Size, frame: Size, *, at: int = 0, dispose: int = 2) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    control = b"!\xf9\x04" + bytes([dispose << 2, 0, 0, 0, 0])
    return head + control + b"," + struct.pack("<HHHHB", at, at, *frame, 0) + b"\2\2\x44\1\0;"


def _bmp(bits: int, compression: int, size: Size, pixels: bytes) -> bytes:
    table = bytes(4 * 2**bits) if bits == 4 else b"\0\0\0\0\xff\xff\xff\0"
    colors = len(table) // 4
    fields = (40, *size, 1, bits, compression, len(pixels), 0, 0, colors, 0)
    start = 54 + len(table)
    head = struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    return b"BM" + head + struct.pack("<IiiHHIIiiII", *fields) + table + pixels


def _webp_flat(width: int, height: int) -> bytes:
    """Lossless, all five codes of one symbol: a pixel takes no bit at all."""
    bits, at = 0x2F, 8
    for value, size in ((width - 1, 14), (height - 1, 14), (0, 1), (0, 3), (0, 3)):
        bits, at = bits | value << at, at + size
    for _ in range(5):
        bits, at = bits | 0b0001 << at, at + 4
    body = bits.to_bytes(at // 8 + 2, "little")
    body = b"WEBPVP8L" + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _webp_canvas(width: int, height: int) -> bytes:
    """An animation of one pixel on a large canvas."""
    frame = _webp_flat(1, 1)[12:]
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    inner = bytes(6) + bytes(6) + b"\1\0\0\0" + frame
    body = b"WEBPVP8X" + struct.pack("<II", 10, 0x12) + canvas
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    body += b"ANMF" + struct.pack("<I", len(inner)) + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _png(width: int, height: int, *, bits: int = 1, kind: int = 0, more: bytes = b"") -> bytes:
    """A PNG as full as its bytes allow: whole when its rows fit into a megabyte, else cut."""
    size = min(900_000, height * (1 + (width * bits + 7) // 8))
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    body = chunk(b"IHDR", head) + more + chunk(b"IDAT", zlib.compress(bytes(size), 9))
    return PNG + body + chunk(b"IEND", b"")


def _jpeg(width: int, height: int, *, marker: int = 0xC0, components: int = 1) -> bytes:
    """A frame without a bit of picture: the scan ends at once."""
    parts = b"".join(bytes([i + 1, 0x11, 0]) for i in range(components))
    frame = struct.pack(">BHHB", 8, height, width, components) + parts
    data = saved(gray(8, 8), "JPEG")
    tables = data[data.index(b"\xff\xdb") : data.index(b"\xff\xc0")]
    codes = data[data.index(b"\xff\xc4") : data.index(b"\xff\xda")]
    scan = bytes([components]) + b"".join(bytes([i + 1, 0]) for i in range(components))
    scan += b"\0\0\0" if marker == 0xC2 else b"\0\x3f\0"
    return (
        b"\xff\xd8" + tables + segment(marker, frame) + codes + segment(0xDA, scan) + b"\0\xff\xd9"
    )


def _tiff_fax(width: int, height: int) -> bytes:
    """White lines of one bit each."""
    return saved(
        Image.new("1", (width, height), 1), "TIFF", compression="group4", tiffinfo={278: height}
    )


def _tiff_shared(strips: int, rows: int) -> bytes:
    """Every strip is the same few bytes, which inflate a thousandfold."""
    packed, width = zlib.compress(bytes(1000 * rows), 9), 1000
    entries = 9
    lists = 8 + len(packed)
    first = lists + 8 * strips
    fields = [
        (256, 4, 1, width), (257, 4, 1, rows * strips), (258, 3, 1, 8), (259, 3, 1, 8),
        (262, 3, 1, 1), (273, 4, strips, lists), (277, 3, 1, 1), (278, 4, 1, rows),
        (279, 4, strips, lists + 4 * strips),
    ]  # fmt: skip
    table = struct.pack("<H", entries) + b"".join(struct.pack("<HHII", *each) for each in fields)
    offsets = struct.pack("<I", 8) * strips + struct.pack("<I", len(packed)) * strips
    return b"II*\0" + struct.pack("<I", first) + packed + offsets + table + bytes(4)


def _avif(side: int, stated: int | None = None) -> bytes:
    """A flat AVIF; `stated` is the side that its header claims."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), 128).save(buffer, "AVIF", speed=10, quality=1)
    data = buffer.getvalue()
    size = struct.pack(">II", side, side)
    return data if stated is None else data.replace(size, struct.pack(">II", stated, stated))


def _jp2(width: int, height: int, *, bare: bool) -> bytes:
    """A small picture that claims another size."""
    data = saved(Image.new("L", (48, 32), 128), "JPEG2000", no_jp2=bare)
    size, claimed = (48, 32), (width, height)
    at = data.index(b"\xff\x51")
    data = data[: at + 8] + data[at + 8 :].replace(
        struct.pack(">II", *size), struct.pack(">II", *claimed)
    )
    return data.replace(struct.pack(">II", *size[::-1]), struct.pack(">II", *claimed[::-1]))


def _zeros(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def _frame(width: int, height: int) -> bytes:
    """An APNG's control chunks for a frame of any size."""
    control = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 1, 0, 0)
    return chunk(b"acTL", b"\0\0\0\1\0\0\0\0") + chunk(b"fcTL", control)


def by_hand() -> dict[str, Callable[[], bytes]]:
    """Bombs, by name."""
    found: dict[str, Callable[[], bytes]] = {
        "GIF frame 65535": lambda: _gif((10, 10), (65535, 65535)),
        "GIF frame 65535, kept": lambda: _gif((10, 10), (65535, 65535), dispose=1),
        "GIF frame 20000": lambda: _gif((10, 10), (20000, 20000), dispose=3),
        "GIF frame far off": lambda: _gif((10, 10), (10, 10), at=65000),
        "GIF screen 10000": lambda: _gif((10000, 10000), (1, 1)),
        "GIF screen 7000": lambda: _gif((7000, 7000), (1, 1), dispose=0),
        "WebP flat 98 MP": lambda: _webp_flat(16383, 6000),
        "WebP flat 25 MP": lambda: _webp_flat(5000, 5000),
        "WebP canvas 100 MP": lambda: _webp_canvas(10000, 10000),
        "WebP canvas 45 MP": lambda: _webp_canvas(7000, 6500),
        "PNG 1 bit whole": lambda: _png(2600, 2600),
        "PNG 16 bit RGBA cut": lambda: _png(9999, 9999, bits=16, kind=6),
        "PNG text": lambda: _png(1, 1, more=chunk(b"zTXt", b"a\0\0" + _zeros(400_000))),
        "PNG profile": lambda: _png(1, 1, more=chunk(b"iCCP", b"a\0\0" + _zeros(400_000))),
        "APNG frame": lambda: _png(1, 1, more=_frame(60_000, 60_000)),
        "TIFF fax 96 MP": lambda: _tiff_fax(32_000, 3_000),
        "TIFF fax 30 MP": lambda: _tiff_fax(10_000, 3_000),
        "TIFF shared strips": lambda: _tiff_shared(70, 250),
        "AVIF flat 25 MP": lambda: _avif(5000),
        "AVIF of 25 MP says 64": lambda: _avif(5000, 64),
    }
    for size in ((10_000, 9_999), (5_000, 5_000), (60_000, 60_000), (10_000_000, 9)):
        name = f"{size[0]} x {size[1]}"
        found |= {
            f"BMP RLE8 {name}": lambda s=size: _bmp(8, 1, s, bytes([255, 1, 0, 1])),
            f"BMP RLE4 {name}": lambda s=size: _bmp(4, 2, s, bytes([255, 0, 0, 1])),
            f"BMP RLE8 delta {name}": lambda s=size: _bmp(8, 1, s, b"\0\2\xff\xff" * 9 + b"\0\1"),
            f"BMP 1 bit {name}": lambda s=size: _bmp(1, 0, s, bytes(90)),
            f"JP2 {name}": lambda s=size: _jp2(*s, bare=False),
            f"JPEG 2000 codestream {name}": lambda s=size: _jp2(*s, bare=True),
            f"PBM {name}": lambda s=size: b"P4 %d %d\n" % s + bytes(90),
            f"PPM 16 bit {name}": lambda s=size: b"P6 %d %d 65535\n" % s + bytes(90),
            f"plain PGM {name}": lambda s=size: b"P2 %d %d 255\n" % s + b"0 " * 400,
        }
        if max(size) < 65536:
            for marker, components in ((0xC0, 1), (0xC0, 3), (0xC2, 1), (0xC2, 3), (0xC2, 4)):
                how = f"JPEG {'progressive' if marker == 0xC2 else 'baseline'} {components} {name}"
                found[how] = lambda s=size, m=marker, c=components: _jpeg(
                    *s, marker=m, components=c
                )
    return found


def by_field() -> Iterator[tuple[str, bytes]]:
    """Every small seed with every number in its headers, and every two side by side, made large."""
    for name, (format, data) in seeds().items():
        if len(data) > LIMIT:
            continue
        fields = [field for field in layout(format, data).fields if field.size > 1]
        for field in fields:
            for value in _VALUES:
                yield f"{name} {field.at} = {value}", repaired(replaced(data, field, value))
            beside = field._replace(at=field.at + field.size)
            for width, height in _SIDES if beside in fields else ():
                both = replaced(replaced(data, field, width), beside, height)
                yield f"{name} {field.at} = {width} x {height}", repaired(both)
