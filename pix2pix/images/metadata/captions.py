"""Captions in XMP: where IPTC, comments and PNG text go in a format that has no place for them.

Source: IPTC Photo Metadata Standard 2023.2, table of IIM and XMP; MWG guidelines 2.0, chapter 5.
"""

import re
from collections.abc import Iterable

from pix2pix.images.metadata import iptc
from pix2pix.images.metadata.texts import Text
from pix2pix.images.metadata.xmp import DC, EXIF, PHOTOSHOP, XMP, Packet

_CORE = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
_RIGHTS = "http://ns.adobe.com/xap/1.0/rights/"
_OURS = "https://github.com/pix2pixcolor/pix2pixcolor/ns/1.0/"
_PREFIXES = {
    DC: "dc",
    PHOTOSHOP: "photoshop",
    _CORE: "Iptc4xmpCore",
    XMP: "xmp",
    _RIGHTS: "xmpRights",
    EXIF: "exif",
    _OURS: "pix2pix",
}
# data set of record 2 -> (its name, namespace, property, kind)
_IIM = {
    5: ("ObjectName", DC, "title", "Alt"),
    10: ("Urgency", PHOTOSHOP, "Urgency", ""),
    15: ("Category", PHOTOSHOP, "Category", ""),
    20: ("SupplementalCategories", PHOTOSHOP, "SupplementalCategories", "Bag"),
    25: ("Keywords", DC, "subject", "Bag"),
    40: ("SpecialInstructions", PHOTOSHOP, "Instructions", ""),
    80: ("By-line", DC, "creator", "Seq"),
    85: ("By-lineTitle", PHOTOSHOP, "AuthorsPosition", ""),
    90: ("City", PHOTOSHOP, "City", ""),
    92: ("Sub-location", _CORE, "Location", ""),
    95: ("Province-State", PHOTOSHOP, "State", ""),
    100: ("Country-PrimaryLocationCode", _CORE, "CountryCode", ""),
    101: ("Country-PrimaryLocationName", PHOTOSHOP, "Country", ""),
    103: ("OriginalTransmissionReference", PHOTOSHOP, "TransmissionReference", ""),
    105: ("Headline", PHOTOSHOP, "Headline", ""),
    110: ("Credit", PHOTOSHOP, "Credit", ""),
    115: ("Source", PHOTOSHOP, "Source", ""),
    116: ("CopyrightNotice", DC, "rights", "Alt"),
    120: ("Caption-Abstract", DC, "description", "Alt"),
    122: ("Writer-Editor", PHOTOSHOP, "CaptionWriter", ""),
}
_DATE, _TIME = (2, 55), (2, 60)
_PNG = {
    "title": (DC, "title", "Alt"),
    "author": (DC, "creator", "Seq"),
    "artist": (DC, "creator", "Seq"),
    "description": (DC, "description", "Alt"),
    "copyright": (DC, "rights", "Alt"),
    "disclaimer": (_RIGHTS, "UsageTerms", "Alt"),
    "comment": (EXIF, "UserComment", "Alt"),
}


def add_iptc(packet: Packet, resources: dict[int, bytes], *, warnings: list[str]) -> None:
    """Map IPTC and Photoshop's resources into XMP. Where XMP says otherwise, it is right."""
    found = iptc.texts(resources.get(iptc.IPTC, b""))
    rest = _add_date(packet, found.pop(_DATE, []), found.pop(_TIME, []), warnings)
    for (_, number), values in sorted(found.items()):
        if number not in _IIM:
            rest += [f"IPTC 2:{number:03}: {value}" for value in values]
            continue
        label, uri, name, kind = _IIM[number]
        values = values if kind in ("Bag", "Seq") else ["\n".join(values)]
        if not _add(packet, uri, name, values, kind):
            warnings.append(f"IPTC {label} is not XMP's {name}, which is kept")
    if iptc.COPYRIGHT_FLAG in resources:
        marked = "True" if resources[iptc.COPYRIGHT_FLAG][:1] != b"\0" else "False"
        _add(packet, _RIGHTS, "Marked", [marked], "")
    if iptc.URL in resources:
        url = iptc.decode_text(resources[iptc.URL])
        rest += [] if _add(packet, _RIGHTS, "WebStatement", [url], "") else [f"URL: {url}"]
    if iptc.CAPTION in resources:
        rest.append(f"Caption: {iptc.decode_text(resources[iptc.CAPTION][1:])}")
    _add_rest(packet, rest)


def add_texts(packet: Packet, texts: Iterable[Text]) -> None:
    """Put comments and PNG text into XMP: what has a property there, and the rest as a list."""
    rest: list[str] = []
    seen: set[str] = set()
    for text in texts:
        uri, name, kind = _PNG.get(text.keyword.lower(), ("", "", ""))
        if not name or name in seen or not _add(packet, uri, name, [text.text], kind):
            rest.append(f"{text.keyword}: {text.text}")
        seen.add(name)
    _add_rest(packet, rest)


def _add(packet: Packet, uri: str, name: str, values: list[str], kind: str) -> bool:
    """Add a property unless it is there -> whether the packet says so now."""
    there = packet.values((uri, name))
    if there:
        return _plain(there) == _plain(values) or set(map(_squeezed, values)) <= set(
            map(_squeezed, there)
        )
    packet.add((uri, name), _PREFIXES[uri], values, kind=kind)
    return True


def _add_rest(packet: Packet, values: list[str]) -> None:
    """To the list of texts that have no property of their own."""
    key = (_OURS, "Text")
    new = [*packet.values(key), *values]
    if values:
        packet.remove(key)
        packet.add(key, _PREFIXES[_OURS], list(dict.fromkeys(new)), kind="Bag")


def _add_date(packet: Packet, dates: list[str], times: list[str], warnings: list[str]) -> list[str]:
    """19120501 and 120000+0100 -> 1912-05-01T12:00:00+01:00; years and months may stand alone.

    Returns what is no date or time.
    """
    date = re.fullmatch(r"(\d{4})(\d\d)(\d\d)", dates[0]) if dates else None
    time = re.fullmatch(r"(\d\d)(\d\d)(\d\d)([+-]\d\d)(\d\d)", times[0]) if times else None
    rest = [f"IPTC 2:055: {text}" for text in dates] if date is None else []
    iso = "" if date is None else "-".join(part for part in date.groups() if part != "00")
    if time is not None and iso.count("-") == 2:
        iso += "T{}:{}:{}{}:{}".format(*time.groups())
    else:
        rest += [f"IPTC 2:060: {text}" for text in times]
    if iso and not _add(packet, PHOTOSHOP, "DateCreated", [iso], ""):
        warnings.append("IPTC DateCreated is not XMP's DateCreated, which is kept")
    return rest


def _plain(values: list[str]) -> str:
    return _squeezed(" ".join(values))


def _squeezed(text: str) -> str:
    return " ".join(text.split())
