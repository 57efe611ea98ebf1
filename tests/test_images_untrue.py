"""What has become untrue of a colored copy goes; what still holds stays."""

import io
import re
import struct

import numpy as np
import pytest
from bad_inputs import exifs, jpegs, pictures
from PIL import Image

from pix2pix.images import Photo, encode, read
from pix2pix.images.metadata import iptc, statement
from pix2pix.images.metadata import reader as metadata
from pix2pix.images.metadata.exif import parse

RGB = pictures.rgb()
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
GOOGLE = "http://ns.google.com/photos/1.0"
UNTRUE = f"""
 hdrgm http://ns.adobe.com/hdr-gain-map/1.0/ Version
 Container {GOOGLE}/container/ Directory
 Item {GOOGLE}/container/item/ Length
 GCamera {GOOGLE}/camera/ MotionPhoto
 GDepth {GOOGLE}/depthmap/ Data
 GImage {GOOGLE}/image/ Mime
 GAudio {GOOGLE}/audio/ Data
 Device http://ns.google.com/photos/dd/1.0/device/ Container
 crs http://ns.adobe.com/camera-raw-settings/1.0/ ConvertToGrayscale
 crs http://ns.adobe.com/camera-raw-settings/1.0/ Saturation
 crss http://ns.adobe.com/camera-raw-saved-settings/1.0/ SavedSettings
 crlcp http://ns.adobe.com/camera-raw-embedded-lens-profile/1.0/ LensCorrection
 xmpGImg http://ns.adobe.com/xap/1.0/g/img/ image
 xmp http://ns.adobe.com/xap/1.0/ Thumbnails
 HDRGainMap http://ns.apple.com/HDRGainMap/1.0/ HDRGainMapVersion
 apdi http://ns.apple.com/pixeldatainfo/1.0/ AuxiliaryImageType
 depthData http://ns.apple.com/depthData/1.0/ Quality
 portrait http://ns.apple.com/portraitEffectsMatteInfo/1.0/ Version
 darktable http://darktable.sf.net/ history
 photoshop http://ns.adobe.com/photoshop/1.0/ ColorMode
 photoshop http://ns.adobe.com/photoshop/1.0/ ICCProfile
 photoshop http://ns.adobe.com/photoshop/1.0/ LegacyIPTCDigest
 tiff http://ns.adobe.com/tiff/1.0/ SamplesPerPixel
 tiff http://ns.adobe.com/tiff/1.0/ PhotometricInterpretation
 tiff http://ns.adobe.com/tiff/1.0/ ImageWidth
 tiff http://ns.adobe.com/tiff/1.0/ BitsPerSample
 exif http://ns.adobe.com/exif/1.0/ PixelXDimension
 exif http://ns.adobe.com/exif/1.0/ ColorSpace
 xmpNote http://ns.adobe.com/xmp/note/ HasExtendedXMP
"""
TRUE = f"""
 GPano {GOOGLE}/panorama/ ProjectionType
 MP http://ns.microsoft.com/photo/1.2/ RegionInfo
 aux http://ns.adobe.com/exif/1.0/aux/ Lens
 tiff http://ns.adobe.com/tiff/1.0/ Make
 exif http://ns.adobe.com/exif/1.0/ DateTimeOriginal
 lr http://ns.adobe.com/lightroom/1.0/ hierarchicalSubject
 photoshop http://ns.adobe.com/photoshop/1.0/ City
 xmpMM http://ns.adobe.com/xap/1.0/mm/ History
 plus http://ns.useplus.org/ldf/xmp/1.0/ ImageSupplierName
"""
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines() if line]


def packet(body: str, attributes: str = "", *, odd: bool = False) -> bytes:
    """An XMP packet; `odd` gives every namespace another prefix than the usual one."""
    mark = "x" if odd else ""
    found = {prefix: uri for prefix, uri, _ in rows(UNTRUE + TRUE)}
    spaces = " ".join(f'xmlns:{mark}{prefix}="{uri}"' for prefix, uri in found.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description '
        f'rdf:about="" {spaces} {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def said(photo: Photo, format: str = "JPEG", **options: object) -> str:
    """The XMP of a copy."""
    copy = read(encode(photo.rgb, like=photo, model="m", format=format, **options))
    assert copy.xmp is not None
    return copy.xmp.decode()


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("shape", ["attributes", "elements", "inside"])
@pytest.mark.parametrize("format", FORMATS)
def test_what_describes_other_streams_settings_and_sizes_goes(format: str, shape: str, odd: bool):
    mark = "x" if odd else ""
    both = [*rows(UNTRUE), *rows(TRUE)]
    if shape == "attributes":
        xmp = packet("", " ".join(f'{mark}{p}:{name}="v-{name}"' for p, _, name in both), odd=odd)
    else:
        body = "".join(f"<{mark}{p}:{n}>v-{n}</{mark}{p}:{n}>" for p, _, n in both)
        if shape == "inside":
            body = (
                f"<{mark}plus:Holder><rdf:Bag><rdf:li rdf:parseType='Resource'>{body}</rdf:li>"
                f"</rdf:Bag></{mark}plus:Holder>"
            )
        xmp = packet(body, odd=odd)
    text = said(Photo(RGB, None, format, xmp=xmp), format)
    assert [name for _, _, name in rows(UNTRUE) if f"v-{name}" in text] == []
    assert [name for _, _, name in rows(TRUE) if f"v-{name}" not in text] == []


@pytest.mark.parametrize("format", FORMATS)
def test_the_format_is_named_rightly(format: str):
    spaces = 'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/x-raw"'
    text = said(Photo(RGB, None, "JPEG", xmp=packet("", spaces)), format)
    assert f'dc:format="image/{format.lower()}"' in text and "x-raw" not in text


def test_ids_of_the_old_file_name_what_the_copy_is_derived_from():
    ids = 'xmpMM:DocumentID="xmp.did:one" xmpMM:InstanceID="xmp.iid:two"'
    text = said(Photo(RGB, None, "JPEG", xmp=packet("", ids)))
    assert "xmpMM:DocumentID" not in text and "xmpMM:InstanceID" not in text
    assert "<stRef:documentID" in text and "<stRef:instanceID" in text
    assert text.count("xmp.did:one") == 2 and text.count("xmp.iid:two") == 1  # and the original's


REGION = """<mwg-rs:Regions xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" rdf:parseType="Resource"
 xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#">
 <mwg-rs:AppliedToDimensions stDim:w="{w}" stDim:h="{h}" stDim:unit="pixel"/>
 <mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource"><mwg-rs:Area stArea:x="{x}"
 stArea:y="{y}" stArea:w="0.125" stArea:h="0.25"/></rdf:li></rdf:Bag></mwg-rs:RegionList>
 </mwg-rs:Regions><MPReg:Rectangle xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"
 >{left}, {top}, 0.125, 0.25</MPReg:Rectangle>"""


@pytest.mark.parametrize("orientation", range(1, 9))
def test_faces_stay_on_the_faces(orientation: int):
    """A bright patch at the region of the stored picture is at the region of the upright one."""
    gray = np.zeros((64, 96), np.uint8)
    gray[32:48, 12:24] = 255  # left 0.125, top 0.5, sides 0.125 and 0.25
    region = REGION.format(w=96, h=64, x=0.1875, y=0.625, left=0.125, top=0.5)
    exif = Image.Exif()
    exif[exifs.ORIENTATION] = orientation
    photo = read(pictures.encoded(gray, "WEBP", lossless=True, exif=exif, xmp=packet(region)))
    assert photo.turned == orientation
    text = said(photo, "PNG")
    rows_, columns = np.nonzero(photo.rgb[..., 0])
    height, width = photo.rgb.shape[:2]
    box = [columns.min() / width, rows_.min() / height]
    box += [(columns.max() + 1) / width - box[0], (rows_.max() + 1) / height - box[1]]
    found = re.search(r"Rectangle[^>]*>([^<]*)<", text)
    assert found is not None
    assert [float(part) for part in found[1].split(",")] == pytest.approx(box, abs=1e-3)

    def number(name: str) -> float:
        match = re.search(rf'{name}="([\d.]+)"', text)
        assert match is not None, name
        return float(match[1])

    area = [number(f"stArea:{name}") for name in "xywh"]
    center = [box[0] + box[2] / 2, box[1] + box[3] / 2, *box[2:]]
    assert area == pytest.approx(center, abs=1e-3)
    assert (number("stDim:w"), number("stDim:h")) == (width, height)


def test_exif_of_the_old_file_goes():
    more = {0x9101: b"\1\0\0\0", 0x9102: 2.0, 0xA500: 2.2, 0xA401: 1, 0xA407: 2}
    photo = read(pictures.encoded(RGB, "JPEG", exif=exifs.whole(more=more)))
    copy = Image.open(io.BytesIO(encode(photo.rgb, like=photo, model="m")))
    details = copy.getexif().get_ifd(exifs.EXIF_IFD)
    assert details[0x9101] == b"\1\2\3\0" and details[exifs.COLOR_SPACE] == 1
    assert 0x9102 not in details and 0xA500 not in details
    assert details[0xA401] == 1 and details[0xA407] == 2  # CustomRendered, GainControl
    png = Image.open(io.BytesIO(encode(photo.rgb, like=photo, model="m", format="PNG")))
    assert 0x9101 not in png.getexif().get_ifd(exifs.EXIF_IFD)


def test_iptc_no_longer_says_black_and_white_and_shows_no_preview():
    data = b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(value)) + value
        for number, value in ((120, b"Caption"), (130, b"1W"), (202, b"preview"))
    )
    resources = iptc.to_resources({iptc.IPTC: data, 0x040C: b"thumbnail"})
    source = jpegs.with_segment(pictures.encoded(RGB, "JPEG"), 0xED, b"Photoshop 3.0\0" + resources)
    copy = encode(RGB, like=read(source), model="m")
    assert b"Caption" in copy and b"1W" not in copy
    assert b"preview" not in copy and b"thumbnail" not in copy


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_makers_note_keeps_its_place_and_its_byte_order(order: str):
    """Canon, Sony and others count offsets in it from the beginning of the block."""
    note = b"Canon\0" + bytes(range(200)) * 4
    magic = b"II*\0" if order == "<" else b"MM\0*"
    size = 2 + 12 + 4
    entry = struct.pack(order + "HHII", exifs.EXIF_IFD, 4, 1, 8 + size)
    at = 400
    details = struct.pack(order + "HHHII", 1, exifs.MAKER_NOTE, 7, len(note), at) + bytes(4)
    block = magic + struct.pack(order + "I", 8) + struct.pack(order + "H", 1) + entry + bytes(4)
    block = (block + details).ljust(at, b"\0") + note
    photo = read(pictures.encoded(RGB, "JPEG", exif=exifs.HEAD + block))
    for format in ("JPEG", "PNG", "WEBP"):
        copy = Image.open(io.BytesIO(encode(RGB, like=photo, model="m", format=format)))
        found = copy.info["exif"].removeprefix(exifs.HEAD)
        assert found[:4] == magic and found[at : at + len(note)] == note
        assert parse(found).details[exifs.MAKER_NOTE].data == note
    tiff = encode(RGB, like=photo, model="m", format="TIFF")
    assert parse(tiff).details[exifs.MAKER_NOTE].data == note


def test_a_page_of_a_tiff_has_what_it_lacks_from_the_first():
    """Its first directory may be a preview, and carry the camera's name for the whole file."""
    gray = [Image.fromarray(pictures.gray()) for _ in range(2)]
    for number, image in enumerate(gray):
        image.encoderinfo = {
            "tiffinfo": {270: f"page {number}", **({} if number else {315: "Zoe"})}
        }
    buffer = io.BytesIO()
    gray[0].save(buffer, "TIFF", save_all=True, append_images=gray[1:], tiffinfo={315: "Zoe"})
    data = buffer.getvalue()
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    second = struct.unpack_from("<I", data, first + 2 + 12 * count)[0]
    for page, description in ((0, b"page 0"), (second, b"page 1")):
        said = metadata.gather({}, "TIFF", data, page=page, warnings=[])
        block = parse(said.exif or b"")
        assert block.main[315].data == b"Zoe\0"
        assert block.main[270].data == description + b"\0"


def test_sizes_in_a_turned_photo_are_those_of_the_copy():
    photo = read(pictures.encoded(RGB, "JPEG", exif=exifs.whole(6)))
    block = statement.compose(
        photo, name="JPEG", size=(64, 96), model="m", keep_gps=False, warnings=[]
    ).exif
    assert block is not None
    assert block.details[exifs.WIDTH] == block.long(64)
    assert block.details[exifs.HEIGHT] == block.long(96)


@pytest.mark.parametrize("uri", ["http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/tiof/1.0/"])
def test_no_reader_turns_a_copy(uri: str):
    """Pillow and others look for the words tiff:Orientation, whatever the prefix stands for."""
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:tiff="{uri}" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    data = encode(RGB, like=Photo(RGB, None, "PNG", xmp=xmp.encode()), model="m", format="TIFF")
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.size == RGB.shape[1::-1] and b"Orientation" not in data
