"""Provenance in XMP: what does not hold in a copy goes, the model that made its pixels is added.

A copy is another file in another color mode: develop settings, depth, gain maps, motion,
previews, sizes and photometry of the old one do not hold for it. They go by namespace.
"""

from xml.dom import minidom

from pix2pix.images.metadata.xmp import DC, EXIF, NOTE, PHOTOSHOP, RDF, XMP, Packet
from pix2pix.images.task import COLOR, Task

_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_MM = "http://ns.adobe.com/xap/1.0/mm/"
_REF = "http://ns.adobe.com/xap/1.0/sType/ResourceRef#"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
MIME = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff"}
MIME["AVIF"] = "image/avif"
_MAX_NAME = 200

# Namespaces, by how they begin, that describe other streams of the file or how to develop it.
_STALE = (
    "http://ns.adobe.com/hdr-gain-map/",
    "http://ns.adobe.com/hdr-metadata/",
    "http://ns.adobe.com/camera-raw-",  # settings, saved settings, defaults, lens profiles
    "http://ns.adobe.com/xap/1.0/g/img/",  # previews
    *(f"http://ns.google.com/photos/1.0/{name}/" for name in ("container", "camera", "depthmap")),
    *(f"http://ns.google.com/photos/1.0/{name}/" for name in ("image", "audio", "focus")),
    "http://ns.google.com/photos/dd/1.0/",
    *(f"http://ns.apple.com/{name}" for name in ("HDR", "pixeldatainfo/", "depth", "portrait")),
    *(f"http://ns.apple.com/{name}" for name in ("semantic", "adjustment-settings/")),
    "http://ns.xiaomi.com/photos/1.0/",
    "http://ns.oplus.com/photos/1.0/",
    "http://ns.microsoft.com/photo/1.1/",  # panoramic stitching state
    "http://darktable.sf.net/",
    "http://www.rawtherapee.com/",
)
_STALE_NAMES = {
    _TIFF: {
        *("Orientation", "ImageWidth", "ImageLength", "BitsPerSample", "Compression"),
        *("PhotometricInterpretation", "SamplesPerPixel", "PlanarConfiguration"),
        *("YCbCrSubSampling", "YCbCrPositioning", "YCbCrCoefficients", "TransferFunction"),
        *("WhitePoint", "PrimaryChromaticities", "ReferenceBlackWhite", "NativeDigest"),
    },
    EXIF: {
        *("ColorSpace", "PixelXDimension", "PixelYDimension", "ComponentsConfiguration"),
        *("CompressedBitsPerPixel", "Gamma", "NativeDigest"),
    },
    PHOTOSHOP: {
        *("ColorMode", "ICCProfile", "LegacyIPTCDigest", "SidecarForExtension", "TextLayers"),
        *("EmbeddedXMPDigest",),
    },
    XMP: {"Thumbnails", "PageInfo"},
    NOTE: {"HasExtendedXMP"},
    _IPTC: {"DigitalSourceType", "AISystemUsed"},
}
_PLACES = ("http://www.w3.org/2003/01/geo/", "http://ns.google.com/photos/dd/1.0/earthpose/")
_PLACE_WORDS = ("LATITUDE", "LONGITUDE", "LONGTITUDE", "ALTITUDE")  # the third is DJI's


def stamp(packet: Packet, *, model: str, task: Task = COLOR, name: str, keep_gps: bool) -> None:
    """Remove what does not hold in a copy of format `name` from a packet; name the model."""
    made_by = system(model, task)
    _derive(packet)
    for element in packet.elements():
        _drop_stale(element, keep_gps=keep_gps)
    if packet.values((DC, "format")):
        packet.remove((DC, "format"))
        if name in MIME:
            packet.set((DC, "format"), "dc", MIME[name])
    packet.set((_IPTC, "DigitalSourceType"), "Iptc4xmpExt", task.source_type)
    packet.set((_IPTC, "AISystemUsed"), "Iptc4xmpExt", made_by)
    if not packet.values((XMP, "CreatorTool")):
        packet.set((XMP, "CreatorTool"), "xmp", made_by)


def is_place(uri: str | None, name: str) -> bool:
    """Whether a property is GPS data or another position on the earth, of whatever maker."""
    upper = name.upper()
    return (
        upper.startswith("GPS")
        or any(word in upper for word in _PLACE_WORDS)
        or (uri or "").startswith(_PLACES)
    )


def system(model: str, task: Task) -> str:
    """What made a copy: the package and the model, its name without what cannot be printed."""
    printable = "".join(filter(str.isprintable, model))
    if len(printable) > _MAX_NAME:
        printable = printable[:_MAX_NAME] + "..."
    return task.by + printable


def _derive(packet: Packet) -> None:
    """The ids of the old file become those that the copy is derived from; it has none itself."""
    ids = {name: packet.values((_MM, name)) for name in ("DocumentID", "InstanceID")}
    if not any(ids.values()):
        return
    if not packet.values((_MM, "OriginalDocumentID")) and ids["DocumentID"]:
        packet.add((_MM, "OriginalDocumentID"), "xmpMM", ids["DocumentID"][:1])
    packet.remove((_MM, "DerivedFrom"))
    packet.add_struct(
        (_MM, "DerivedFrom"),
        "xmpMM",
        {(_REF, name[0].lower() + name[1:]): found[0] for name, found in ids.items() if found},
        prefix_of_fields="stRef",
    )
    for name in ids:
        packet.remove((_MM, name))


def is_stale(uri: str | None, name: str, *, keep_gps: bool) -> bool:
    """Whether a property does not hold in a copy, or is a position that is not to be kept."""
    if is_place(uri, name):
        return not keep_gps
    if uri is None or uri == RDF:
        return False
    if name == "Orientation":  # of any namespace: many readers, Pillow too, ask for the bare text
        return True
    return uri.startswith(_STALE) or name in _STALE_NAMES.get(uri, ())


def _drop_stale(element: minidom.Element, *, keep_gps: bool) -> None:
    """Takes what no longer holds out of an element's attributes and children."""
    for attribute in list(element.attributes.values()):
        if attribute.name.startswith("xmlns"):
            continue
        if is_stale(attribute.namespaceURI, attribute.localName or "", keep_gps=keep_gps):
            element.removeAttributeNode(attribute)
    for child in list(element.childNodes):
        if isinstance(child, minidom.Element) and is_stale(
            child.namespaceURI, child.localName or "", keep_gps=keep_gps
        ):
            element.removeChild(child)
