"""Untrusted XML: decoded and parsed within limits, without document types."""

import codecs
import re
from xml.dom import expatbuilder, minidom
from xml.parsers.expat import ExpatError, XMLParserType

MAX_BYTES = 16 * 2**20  # of a packet with its extension; phones put depth maps there
_MAX_MARKUP = 50_000  # tags and attributes; each becomes an object
_MAX_DEPTH = 100
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_WRAPPER = re.compile(r"<\?(?:xpacket|xml|adobe-xap-filters)\b[^>]{0,500}\?>")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, 2.2
ERRORS = (ExpatError, ValueError, LookupError)  # what is raised for a packet that cannot be used


class _Builder(expatbuilder.ExpatBuilderNS):
    """minidom's own builder, of limited depth, without document types (entities, files)."""

    depth = 0

    def getParser(self) -> XMLParserType:  # noqa: N802  minidom's name
        parser = super().getParser()
        parser.buffer_size = 2**20  # text is joined piece by piece
        return parser

    def start_doctype_decl_handler(self, *declaration: object) -> None:
        raise ValueError("holds a document type")

    def start_element_handler(self, name: str, attributes: list[str]) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ValueError(f"more than {_MAX_DEPTH} elements inside one another")
        super().start_element_handler(name, attributes)

    def end_element_handler(self, name: str) -> None:
        self.depth -= 1
        super().end_element_handler(name)


def packet_text(data: bytes) -> str:
    """Decode a packet in UTF-8, 16 or 32, and strip wrapper and forbidden characters.

    Raises ValueError and LookupError.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data):,} bytes")
    encoding = next((name for start, name in _ENCODINGS if data.startswith(start)), "utf-8")
    if encoding == "utf-8":
        data = data.strip(b"\0 \r\n\t")
    text = data.decode(encoding)
    if text.count("<") + text.count("=") > _MAX_MARKUP:
        raise ValueError(f"more than {_MAX_MARKUP:,} tags and attributes")
    return without_forbidden(_WRAPPER.sub("", text)).strip("\ufeff \r\n\t")


def parse(text: str) -> minidom.Document:
    """Parse XML. Raises ExpatError and ValueError."""
    return _Builder().parseString(text.encode())


def without_forbidden(text: str) -> str:
    """Strip the characters that XML cannot hold."""
    return _FORBIDDEN.sub("", text)
