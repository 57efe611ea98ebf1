"""Metadata: orientation applied once, descriptions kept, location only on request, no timestamp."""

import io
import random
import re
import struct
import time

import numpy as np
import pytest
from bad_inputs import exifs, jpegs, pictures, profiles, tiffs
from bad_inputs.outcomes import outcome
from PIL import Image, ImageOps

from pix2pix.images import Photo, encode, icc
from pix2pix.images.metadata import reader as metadata

pytestmark = pytest.mark.filterwarnings("error")

RGB = pictures.rgb()
FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
CAMERA = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmp:Rating="4" tiff:Orientation="6" exif:GPSLatitude="48,8.2N">
 <Iptc4xmpExt:DigitalSourceType>negativeFilm</Iptc4xmpExt:DigitalSourceType>
 <exif:GPSLongitude>11,34.5E</exif:GPSLongitude>
 <Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li rdf:parseType="Resource">
 <exif:GPSAltitude>519/1</exif:GPSAltitude><Iptc4xmpExt:City>Munich</Iptc4xmpExt:City>
 </rdf:li></rdf:Bag></Iptc4xmpExt:LocationShown>
 <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Grandmother &amp; cat</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def ok(data: bytes) -> Photo:
    found = outcome(data)
    assert found.code == "OK" and found.photo is not None, found.reason
    return found.photo


def copy_of(photo: Photo, **options: object) -> Image.Image:
    data = encode(photo.rgb, like=photo, model="default", **options)
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def xmp_of(image: Image.Image) -> str:
    packet = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
    return packet if isinstance(packet, str) else packet.decode()


def _lossless(format: str) -> dict[str, object]:
    return {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}.get(format, {})


# Orientation -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", FORMATS)
def test_exif_orientation_is_applied_once(format: str, orientation: int):
    exif = Image.Exif()
    exif[exifs.ORIENTATION] = orientation
    data = pictures.encoded(RGB, format, exif=exif, **_lossless(format))
    turned = Image.fromarray(RGB)
    turned.getexif()[exifs.ORIENTATION] = orientation
    expected = np.asarray(ImageOps.exif_transpose(turned))

    photo = ok(data)
    assert photo.rgb.shape == expected.shape
    assert np.abs(photo.rgb.astype(int) - expected).mean() < 4

    copy = copy_of(photo)
    assert copy.getexif().get(exifs.ORIENTATION, 1) == 1
    again = np.asarray(ImageOps.exif_transpose(copy).convert("RGB"))
    assert np.abs(again.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("orientation", [0, 9, 65535])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_impossible_orientations_are_ignored(format: str, orientation: int):
    exif = Image.Exif()
    exif[exifs.ORIENTATION] = orientation
    assert metadata.orientation(exif) == 1
    photo = ok(pictures.encoded(RGB, format, exif=exif, **_lossless(format)))
    assert photo.rgb.shape == RGB.shape
    assert copy_of(photo).getexif().get(exifs.ORIENTATION, 1) == 1


def test_orientation_in_xmp_is_not_left_behind():
    """Pillow and others fall back on it where EXIF has none; then the copy would turn again."""
    data = pictures.encoded(RGB, "JPEG", xmp=CAMERA.encode())
    photo = ok(data)
    assert photo.rgb.shape == (RGB.shape[1], RGB.shape[0], 3)
    assert ImageOps.exif_transpose(copy_of(photo)).size == (RGB.shape[0], RGB.shape[1])


# EXIF ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_descriptions_are_kept_and_brought_up_to_date(format: str):
    photo = ok(pictures.encoded(RGB, format, exif=exifs.whole(6).tobytes(), **_lossless(format)))
    found = copy_of(photo).getexif()
    details = found.get_ifd(exifs.EXIF_IFD)
    assert found[exifs.MAKE] == "Voigtlander"
    assert found.get(exifs.ORIENTATION, 1) == 1
    assert details[exifs.WRITTEN] == "1954:07:04 12:00:00"
    assert (details[exifs.WIDTH], details[exifs.HEIGHT]) == photo.rgb.shape[1::-1]
    assert details[exifs.COLOR_SPACE] == 1


def test_tags_of_a_tiff_ascend():
    """As TIFF 6.0 demands; strict readers stop at one out of order."""
    photo = ok(pictures.encoded(RGB, "TIFF", exif=exifs.whole().tobytes()))
    data = encode(photo.rgb, like=photo, model="default", keep_gps=True)
    start = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, start)[0]
    tags = [struct.unpack_from("<H", data, start + 2 + 12 * i)[0] for i in range(count)]
    assert tags == sorted(set(tags)) and {exifs.EXIF_IFD, exifs.GPS_IFD} <= set(tags)


@pytest.mark.parametrize("format", FORMATS)
def test_gps_stays_behind_unless_asked_for(format: str):
    photo = ok(pictures.encoded(RGB, format, exif=exifs.whole().tobytes(), **_lossless(format)))
    assert not copy_of(photo).getexif().get_ifd(exifs.GPS_IFD)
    kept = copy_of(photo, keep_gps=True).getexif().get_ifd(exifs.GPS_IFD)
    assert tuple(map(float, kept[exifs.LATITUDE])) == (48.0, 8.0, 12.5)


def test_the_stale_thumbnail_is_dropped():
    thumbnail = pictures.encoded(RGB, "JPEG")
    photo = ok(pictures.encoded(RGB, "JPEG", exif=exifs.with_thumbnail(thumbnail)))
    data = encode(photo.rgb, like=photo, model="default")
    assert data.count(b"\xff\xd8\xff") == 1 and thumbnail[20:200] not in data


def test_tiff_tags_of_the_old_file_stay_behind():
    photo = ok(pictures.encoded(Image.fromarray(RGB[..., 0] > 99), "TIFF", compression="group4"))
    copy = copy_of(photo, format="JPEG")
    assert not set(copy.getexif()) & {256, 258, 259, 262, 273, 277, 278, 279}


BAD_EXIF = {
    "garbage": exifs.HEAD + random.Random(4).randbytes(500),
    "garbage behind a header": exifs.HEAD + b"II*\0\x08\0\0\0" + random.Random(5).randbytes(500),
    "60 KB of garbage": exifs.HEAD + random.Random(6).randbytes(60_000),
    "60 KB of text": exifs.whole(more={0x9286: b"ASCII\0\0\0" + b"x" * 60_000}).tobytes(),
    "recursive": exifs.recursive(),
    "4 GB by its own word": exifs.endless_count(),
    "cut": exifs.whole().tobytes()[:90],
    "empty": exifs.HEAD,
}


@pytest.mark.parametrize("name", BAD_EXIF)
def test_bad_exif_is_ignored_with_a_warning(name: str):
    data = jpegs.with_segment(pictures.encoded(RGB, "JPEG"), 0xE1, BAD_EXIF[name])
    start = time.perf_counter()
    photo = ok(data)
    assert time.perf_counter() - start < 5
    if name != "empty":
        assert any("EXIF" in warning for warning in photo.warnings)
    assert len(copy_of(photo).info.get("exif", b"")) < 2000


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_megabytes_of_exif_are_not_parsed(format: str):
    exif = (
        exifs.HEAD
        + tiffs.header()
        + tiffs.directory([(exifs.MAKER_NOTE, 3, 900_000, struct.pack("<I", 26))])
        + bytes(1_800_000)
    )
    photo = ok(pictures.encoded(RGB, format, exif=exif))
    assert photo.warnings == ["EXIF ignored: more than 1,048,576 bytes"]


def test_a_large_maker_note_does_not_cost_the_date():
    exif = exifs.whole(more={exifs.MAKER_NOTE: bytes(50_000)})
    found = copy_of(ok(pictures.encoded(RGB, "JPEG", exif=exif))).getexif()
    assert found.get_ifd(exifs.EXIF_IFD)[exifs.WRITTEN] == "1954:07:04 12:00:00"
    assert exifs.MAKER_NOTE not in found.get_ifd(exifs.EXIF_IFD)


# XMP and provenance ----------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_provenance_names_source_type_and_model(format: str):
    packet = xmp_of(copy_of(ok(pictures.encoded(RGB, format))))
    assert f'Iptc4xmpExt:DigitalSourceType="{SOURCE}"' in packet
    assert 'Iptc4xmpExt:AISystemUsed="Pix2PixColor default"' in packet
    assert 'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"' in packet


def test_a_models_name_cannot_break_the_packet():
    photo = ok(pictures.encoded(RGB, "JPEG"))
    data = encode(photo.rgb, like=photo, model='a"/>\0\n<evil>&')
    with Image.open(io.BytesIO(data)) as image:
        packet = xmp_of(image)
    assert '"Pix2PixColor a&quot;/&gt;&lt;evil&gt;&amp;"' in packet


def _with_xmp(format: str, packet: bytes) -> bytes:
    from PIL import PngImagePlugin, TiffImagePlugin

    if format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        return pictures.encoded(RGB, format, pnginfo=info)
    if format == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[700] = packet
        return pictures.encoded(RGB, format, tiffinfo=tags)
    return pictures.encoded(RGB, format, xmp=packet)


@pytest.mark.parametrize("format", FORMATS)
def test_xmp_is_kept_and_merged(format: str):
    packet = xmp_of(copy_of(ok(_with_xmp(format, CAMERA.encode()))))
    assert "Grandmother &amp; cat" in packet and 'xmp:Rating="4"' in packet and "Munich" in packet
    assert packet.count("DigitalSourceType") == 1 and SOURCE in packet
    assert "tiff:Orientation" not in packet
    assert "GPS" not in packet


def test_gps_in_xmp_is_kept_on_request():
    photo = ok(_with_xmp("JPEG", CAMERA.encode()))
    assert xmp_of(copy_of(photo, keep_gps=True)).count("GPS") == 5


ENTITY = CAMERA.replace("Grandmother", "&b;")
BAD_XMP = {
    "garbage": random.Random(7).randbytes(300),
    "billion laughs": b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + ENTITY.encode(),
    "external entity": b'<!DOCTYPE x [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + ENTITY.encode(),
    "entity in UTF-16": f'<!DOCTYPE x [<!ENTITY b "ha">]>{ENTITY}'.encode("utf-16"),
    "no RDF": b"<x/>",
    "too many tags": CAMERA.replace("Grandmother", "=" * 59_000).encode(),
    "an abyss": CAMERA.replace("Grandmother", "<b>" * 5_000 + "</b>" * 5_000).encode(),
    "cut": CAMERA.encode()[:300],
}


@pytest.mark.parametrize("name", BAD_XMP)
def test_bad_xmp_is_ignored_with_a_warning(name: str, tmp_path):
    from pix2pix.images import write

    photo = ok(
        jpegs.with_segment(
            pictures.encoded(RGB, "JPEG"), 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + BAD_XMP[name]
        )
    )
    warnings = write(photo.rgb, tmp_path / "out.jpg", like=photo, model="default")
    assert any("XMP ignored" in warning for warning in warnings)
    with Image.open(tmp_path / "out.jpg") as image:
        packet = xmp_of(image)
    assert SOURCE in packet and "root:" not in packet


@pytest.mark.slow
def test_same_in_same_bytes_out():
    profile = profiles.rgb_profile("Adobe RGB")
    photos = [ok(pictures.encoded(RGB, format, icc_profile=profile)) for format in FORMATS]
    photos.append(ok(pictures.encoded(RGB, "BMP")))
    first = [encode(photo.rgb, like=photo, model="default") for photo in photos]
    time.sleep(1.1)  # every timestamp in these formats counts in seconds
    icc.srgb_profile.cache_clear()
    icc.srgb_bytes.cache_clear()
    again = [encode(photo.rgb, like=photo, model="default") for photo in photos]
    assert again == first
    assert not any(re.search(rb"20[2-9]\d[-:][01]\d[-:][0-3]\d", data) for data in first)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP"])
def test_resolution_is_kept(format: str):
    photo = ok(pictures.encoded(RGB, format, dpi=(300, 600)))
    assert copy_of(photo).info["dpi"] == pytest.approx((300, 600), abs=0.1)


def test_no_resolution_is_made_up():
    assert ok(pictures.encoded(RGB, "TIFF")).dpi is None
