"""Mutations: a picture file and a random number -> another file, always the same one."""

import random
import struct
import zlib
from collections.abc import Callable
from typing import Literal

from fuzz.structure import PNG, Field, layout, repaired

_INTERESTING = (0, 1, 2, 3, 4, 7, 8, 15, 16, 32, 64, 100, 127, 128, 255, 256, 1024, 4096, 9999)
_INTERESTING += (16384, 32767, 32768, 65534, 65535, 65536, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1)
_INTERESTING += (2**62, 2**63, 2**64 - 1)
_TOKENS = (
    b"Exif\0\0", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0", b"ICC_PROFILE\0\x01\x01",
    b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0", b"Photoshop 3.0\0",
    b"8BIM\x04\x04\0\0", b"\x1c\x02\x78\xff\xff", b"\x1c\x01\x5a\0\x03\x1b%G", b"MPF\0", b"acsp",
    b"<!-- ", b"-->", b"<!DOCTYPE x [<!ENTITY a '&a;'>]>", b"&#0;", b"&#xffff;", b"<![CDATA[",
    b"<rdf:Description", b"xmlns:a='b'", b"&amp;", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80",
    b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"zTXt",
    b"iTXt", b"tEXt", b"gAMA", b"cICP", b"cHRM", b"CgBI", b"XML:com.adobe.xmp\0", b"IEND",
    b"NETSCAPE2.0", b"XMP DataXMP", b"!\xff\x0b", b"!\xf9\x04", b",\0\0\0\0", b";", b"GIF87a",
    b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANMF", b"ANIM", b"XMP ", b"EXIF", b"ICCP",
    b"ispe", b"ipma", b"iloc", b"irot", b"imir", b"clap", b"pixi", b"colr", b"nclx", b"auxC",
    b"grid", b"iovl", b"av01", b"hvc1", b"avis", b"mif1", b"infe", b"mime", b"idat",
    b"\xff\xd8", b"\xff\xd9", b"\xff\xda", b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xc9",
    b"\xff\xdb", b"\xff\xdd\0\4\0\1", b"\xff\xe1", b"\xff\xee\0\x0eAdobe", b"\xff\xfe\0\2",
    b"\xff\x51", b"\xff\x52", b"\xff\x90", b"jp2c", b"ihdr", b"pclr", b"P5\n", b"P6 1 1 65535 ",
    b"99999 99999", b"-1 ", b"#", b"nan", b"\0" * 16, b"\xff" * 16,
)  # fmt: skip


def mutated(rng: random.Random, format: str, seed: bytes, another: bytes) -> bytes:
    """One to four mutations of `seed`, some with parts of `another` of its format."""
    data = bytearray(seed)
    count = rng.choice((1, 1, 1, 2, 2, 3, 4))
    if rng.random() < 0.55:  # first, while the places still hold
        places = layout(format, seed).fields
        for _ in range(count if places else 0):
            _set_field(rng, data, rng.choice(places))
        count = rng.choice((0, 0, 1, 2))
    for _ in range(count):
        if rng.random() < 0.3:
            _blocks(rng, format, data, seed, another)
        else:
            rng.choice(_PLAIN)(rng, data, another)
    if format == "PNG":
        if rng.random() < 0.2:
            data = _inflated(rng, data)
        if rng.random() < 0.9:
            return repaired(bytes(data))
    return bytes(data)


def _set_field(rng: random.Random, data: bytearray, field: Field) -> None:
    order: Literal["little", "big"] = "little" if field.order == "<" else "big"
    old = int.from_bytes(data[field.at : field.at + field.size], order)
    choice = rng.randrange(6)
    if choice < 2:
        value = rng.choice(_INTERESTING)
    elif choice == 2:
        value = old + rng.choice((-2, -1, 1, 2))
    elif choice == 3:
        value = rng.choice((old * 2, old // 2, old << 8, old >> 8, old ^ 1 << rng.randrange(32)))
    elif choice == 4:
        value = rng.choice((len(data), len(data) - 1, len(data) - field.at, field.at, 8))
    else:
        value = rng.randrange(2 ** (8 * field.size))
    data[:] = replaced(bytes(data), field, value)


def replaced(data: bytes, field: Field, value: int) -> bytes:
    """`data` with another number in it, cut to the field's size."""
    order: Literal["little", "big"] = "little" if field.order == "<" else "big"
    raw = (value & 2 ** (8 * field.size) - 1).to_bytes(field.size, order)
    return data[: field.at] + raw + data[field.at + field.size :]


def _blocks(rng: random.Random, format: str, data: bytearray, seed: bytes, another: bytes) -> None:
    """A segment, chunk, box or entry is left out, doubled, moved, emptied or borrowed."""
    own, other = layout(format, seed).blocks, layout(format, another).blocks
    if not own or not other:
        return
    start, stop = rng.choice(own)
    block, target = bytes(data[start:stop]), rng.choice(own)[0]
    choice = rng.randrange(6)
    if choice == 0:
        del data[start:stop]
    elif choice == 1:
        data[start:start] = block * rng.choice((1, 1, 1, 2, 20))
    elif choice == 2:
        del data[start:stop]
        data[target:target] = block
    elif choice == 3:
        data[start + 8 : stop] = bytes(max(0, stop - start - 8))
    else:
        first, last = rng.choice(other)
        data[start : start if choice == 4 else stop] = another[first:last]


def _flip(rng: random.Random, data: bytearray, another: bytes) -> None:
    for _ in range(rng.choice((1, 1, 2, 8)) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set_bytes(rng: random.Random, data: bytearray, another: bytes) -> None:
    size = rng.choice((1, 1, 2, 4, 8))
    if len(data) > size:
        value = rng.choice(_INTERESTING) & 2 ** (8 * size) - 1
        at = rng.randrange(len(data) - size)
        data[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))


def _noise(rng: random.Random, data: bytearray, another: bytes) -> None:
    at, size = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 16, 64))
    data[at : at + size] = rng.randbytes(len(data[at : at + size]))


def _cut(rng: random.Random, data: bytearray, another: bytes) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _remove(rng: random.Random, data: bytearray, another: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 2, 4, 12, 64, 512))]


def _double(rng: random.Random, data: bytearray, another: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.choice((1, 4, 16, 256))] * rng.choice((1, 1, 4, 64))


def _token(rng: random.Random, data: bytearray, another: bytes) -> None:
    at, token = rng.randrange(len(data) + 1), rng.choice(_TOKENS)
    data[at : at + rng.choice((0, len(token)))] = token


def _splice(rng: random.Random, data: bytearray, another: bytes) -> None:
    """The start of one, the rest of the other, from about the same place."""
    at = rng.randrange(min(len(data), len(another)) + 1)
    data[at:] = another[max(0, at + rng.choice((0, 0, -4, 4, 16))) :]


def _insert(rng: random.Random, data: bytearray, another: bytes) -> None:
    at, start = rng.randrange(len(data) + 1), rng.randrange(len(another) + 1)
    data[at:at] = another[start : start + rng.choice((4, 12, 64, 512))]


_PLAIN: tuple[Callable[[random.Random, bytearray, bytes], None], ...] = (
    _flip, _flip, _set_bytes, _set_bytes, _noise, _cut, _remove, _double, _token, _splice, _insert
)  # fmt: skip


def _inflated(rng: random.Random, data: bytearray) -> bytearray:
    """A PNG in which what one chunk compresses is changed, not the compression."""
    places = layout.__wrapped__("PNG", bytes(data)).blocks if data.startswith(PNG) else []
    rng.shuffle(places)
    for start, stop in places:
        raw = bytes(data[start + 8 : stop - 4])
        at = raw.find(b"\x78")
        try:
            content = bytearray(zlib.decompress(raw[at:])) if at >= 0 else bytearray()
        except zlib.error:
            continue
        if content:
            rng.choice(_PLAIN)(rng, content, content)
            body = raw[:at] + zlib.compress(content)
            kind = bytes(data[start + 4 : start + 8])
            data[start:stop] = struct.pack(">I", len(body)) + kind + body + bytes(4)
            break
    return data
