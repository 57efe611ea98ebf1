"""XMP packets: untrusted XML parsed, queried, changed, and split for JPEG.

Source: Adobe XMP Specification, parts 1 and 3 (ISO 16684-1).
"""

import hashlib
from collections.abc import Iterable, Iterator
from xml.dom import minidom

from pix2pix.images.metadata.markup import ERRORS, MAX_BYTES, packet_text, parse, without_forbidden

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NOTE = "http://ns.adobe.com/xmp/note/"
XMP = "http://ns.adobe.com/xap/1.0/"
DC = "http://purl.org/dc/elements/1.1/"
EXIF = "http://ns.adobe.com/exif/1.0/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_XMLNS = "http://www.w3.org/2000/xmlns/"
_NO_PROPERTIES = (_XMLNS, RDF, "http://www.w3.org/XML/1998/namespace")
_EMPTY = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
    '<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>'
)
Node = minidom.Element | minidom.Attr
__all__ = ["DC", "ERRORS", "EXIF", "MAX_BYTES", "NOTE", "PHOTOSHOP", "RDF", "XMP", "Packet"]
Property = tuple[str, str]  # (namespace, name)


class Packet:
    """A mutable XMP packet. What is added goes into a description of ours.

    Reading is by namespace and name, whatever prefix a file has for it.
    """

    def __init__(self, data: bytes | None = None):
        """Raises one of ERRORS when `data` is no packet that can be used."""
        self._document = parse(_EMPTY if data is None else packet_text(data))
        found = self._document.getElementsByTagNameNS(RDF, "RDF")
        if not found or not self._descriptions(found[0]):
            raise ValueError("no rdf:Description")
        self._rdf = found[0]
        self._about = self._descriptions(self._rdf)[0].getAttributeNS(RDF, "about")
        self._ours: minidom.Element | None = None

    @staticmethod
    def _descriptions(rdf: minidom.Element) -> list[minidom.Element]:
        return [
            child
            for child in rdf.childNodes
            if isinstance(child, minidom.Element)
            and (child.namespaceURI, child.localName) == (RDF, "Description")
        ]

    def elements(self) -> list[minidom.Element]:
        """List every element, at every depth."""
        return list(self._document.getElementsByTagName("*"))

    def properties(self) -> Iterator[tuple[Property, Node]]:
        """Iterate over the top-level properties: elements and attributes of the descriptions."""
        for description in self._descriptions(self._rdf):
            for attribute in list(description.attributes.values()):
                uri = attribute.namespaceURI
                if uri and uri not in _NO_PROPERTIES and not attribute.name.startswith("xmlns"):
                    yield (uri, attribute.localName or ""), attribute
            for child in list(description.childNodes):
                if isinstance(child, minidom.Element) and child.namespaceURI:
                    yield (child.namespaceURI, child.localName or ""), child

    def values(self, property: Property) -> list[str]:
        """Get the texts of a top-level property: those of its items, or its own."""
        return [text for key, node in self.properties() if key == property for text in _texts(node)]

    def remove(self, property: Property) -> None:
        """Remove a top-level property."""
        for key, node in self.properties():
            if key == property:
                _detach(node)

    def set(self, property: Property, prefix: str, value: str) -> None:
        """Set a property to a plain text."""
        self.remove(property)
        description = self._own()
        description.setAttributeNS(_XMLNS, f"xmlns:{prefix}", property[0])
        description.setAttributeNS(property[0], f"{prefix}:{property[1]}", without_forbidden(value))

    def add(
        self, property: Property, prefix: str, values: Iterable[str], *, kind: str = ""
    ) -> None:
        """Add a property: a plain text, or with `kind` Alt, Bag or Seq a list of them."""
        description = self._own()
        description.setAttributeNS(_XMLNS, f"xmlns:{prefix}", property[0])
        make = self._document.createElementNS
        element = make(property[0], f"{prefix}:{property[1]}")
        description.appendChild(element)
        if not kind:
            element.appendChild(self._document.createTextNode(without_forbidden("".join(values))))
            return
        array = element.appendChild(make(RDF, f"rdf:{kind}"))
        for value in values:
            item = make(RDF, "rdf:li")
            if kind == "Alt":
                item.setAttribute("xml:lang", "x-default")
            item.appendChild(self._document.createTextNode(without_forbidden(value)))
            array.appendChild(item)

    def add_struct(
        self, property: Property, prefix: str, fields: dict[Property, str], *, prefix_of_fields: str
    ) -> None:
        """Add a property whose value is a structure of plain texts."""
        self.add(property, prefix, [])
        element = self._own().lastChild
        assert isinstance(element, minidom.Element)
        element.setAttributeNS(RDF, "rdf:parseType", "Resource")
        for (uri, name), value in fields.items():
            field = self._document.createElementNS(uri, f"{prefix_of_fields}:{name}")
            field.setAttributeNS(_XMLNS, f"xmlns:{prefix_of_fields}", uri)
            field.appendChild(self._document.createTextNode(without_forbidden(value)))
            element.appendChild(field)

    def _own(self) -> minidom.Element:
        """The description for what is added: its prefixes cannot meet those of the file."""
        if self._ours is None:
            self._ours = self._document.createElementNS(RDF, "rdf:Description")
            self._ours.setAttributeNS(_XMLNS, "xmlns:rdf", RDF)
            self._ours.setAttributeNS(RDF, "rdf:about", self._about)
            self._rdf.appendChild(self._ours)
        return self._ours

    def merge(self, other: "Packet") -> list[Property]:
        """Copy the properties that only `other` has -> those in which they differ."""
        own: dict[Property, list[str]] = {}
        more: dict[Property, list[str]] = {}
        for key, node in self.properties():
            own.setdefault(key, []).extend(_texts(node))
        for key, node in list(other.properties()):
            if key in own:
                more.setdefault(key, []).extend(_texts(node))
            else:
                self._adopt(node)
        return [key for key, texts in more.items() if texts != own[key]]

    def _adopt(self, node: Node) -> None:
        """Move a top-level property of another packet here, with the prefixes that it may use."""
        description = self._document.createElementNS(RDF, "rdf:Description")
        scope = _scope(node)
        if isinstance(node, minidom.Attr):
            scope = {node.prefix or "": node.namespaceURI or ""}
        rdf = "rdf"
        while scope.get(rdf, RDF) != RDF:
            rdf += "x"
        for prefix, uri in (scope | {rdf: RDF}).items():
            description.setAttributeNS(_XMLNS, f"xmlns:{prefix}" if prefix else "xmlns", uri)
        description.setAttributeNS(RDF, f"{rdf}:about", self._about)
        if isinstance(node, minidom.Attr):
            description.setAttributeNS(node.namespaceURI or "", node.name, node.value)
        else:
            description.appendChild(self._document.importNode(node, True))
        _detach(node)
        self._rdf.appendChild(description)

    def to_bytes(self) -> bytes:
        """Serialize in UTF-8, with the wrapper."""
        head = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        return f'{head}{self._body()}<?xpacket end="w"?>'.encode()

    def _body(self) -> str:
        for description in self._descriptions(self._rdf):
            says = any(isinstance(child, minidom.Element) for child in description.childNodes)
            names = [a for a in description.attributes.values() if not a.name.startswith("xmlns")]
            if not says and all(a.namespaceURI in _NO_PROPERTIES for a in names):
                self._rdf.removeChild(description)
        root = self._document.documentElement
        assert root is not None
        return root.toxml()

    def split(self, limit: int) -> tuple[bytes, bytes]:
        """Split into a packet of at most `limit` bytes and an extension for the rest, or nothing.

        What `set` put in stays in the packet.
        """
        main = self.to_bytes()
        if len(main) <= limit:
            return main, b""
        rest = Packet()
        over = len(main) + 200 - limit  # room for the pointer
        movable = [
            (len(_outer(node)), node)
            for _, node in self.properties()
            if not (isinstance(node, minidom.Attr) and node.ownerElement is self._ours)
        ]
        for size, node in sorted(movable, key=lambda item: -item[0]):
            if over <= 0:
                break
            rest._adopt(node)
            over -= size
        extension = rest._body().encode()
        guid = hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()
        self.set((NOTE, "HasExtendedXMP"), "xmpNote", guid)
        return self.to_bytes(), extension


def usable(data: bytes | None, warnings: list[str]) -> Packet:
    """Parse a packet; an empty one where there is none or it is invalid, with a warning."""
    try:
        return Packet(data or None)
    except ERRORS as error:
        warnings.append(f"XMP ignored: {error}")
        return Packet()


def _texts(node: Node) -> list[str]:
    if isinstance(node, minidom.Attr):
        return [node.value]
    items = node.getElementsByTagNameNS(RDF, "li")
    return [_text_of(item) for item in items] if items else [_text_of(node)]


def _text_of(element: minidom.Element) -> str:
    parts = []
    for child in element.childNodes:
        if isinstance(child, minidom.Text):
            parts.append(child.data)
        elif isinstance(child, minidom.Element):
            parts.append(_text_of(child))
    return "".join(parts).strip()


def _detach(node: Node) -> None:
    if isinstance(node, minidom.Attr):
        assert node.ownerElement is not None
        node.ownerElement.removeAttributeNode(node)
    elif node.parentNode is not None:
        node.parentNode.removeChild(node)


def _outer(node: Node) -> str:
    return f'{node.name}="{node.value}"' if isinstance(node, minidom.Attr) else node.toxml()


def _scope(node: Node) -> dict[str, str]:
    """prefix -> namespace, as declared where the node stands."""
    found: dict[str, str] = {}
    place: minidom.Node | None = (
        node.ownerElement if isinstance(node, minidom.Attr) else node.parentNode
    )
    while isinstance(place, minidom.Element):
        for attribute in place.attributes.values():
            if attribute.name == "xmlns":
                found.setdefault("", attribute.value)
            elif attribute.name.startswith("xmlns:"):
                found.setdefault(attribute.name[6:], attribute.value)
        place = place.parentNode
    return found
