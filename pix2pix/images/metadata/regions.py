"""Regions: where the faces are in a photo, after it was turned upright.

Their coordinates, fractions of width and height, are those of the stored picture, before its
orientation is applied. Source: MWG guidelines 2.0, 5.9; Microsoft's People Tagging schema.
"""

from xml.dom import minidom

from pix2pix.images.metadata.xmp import Node, Packet

_AREA = "http://ns.adobe.com/xmp/sType/Area#"
_DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_MWG = "http://www.metadataworkinggroup.com/schemas/regions/"
_MICROSOFT = "http://ns.microsoft.com/photo/1.2/t/Region#"
# orientation -> which axes of the stored picture are mirrored; from 5 on they are exchanged, too
_MIRRORED = {
    1: (False, False),
    2: (True, False),
    3: (True, True),
    4: (False, True),
    5: (False, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


def turn(packet: Packet, orientation: int) -> None:
    """Turn the regions of a packet as EXIF's orientation, 1 to 8, turned the picture."""
    if orientation == 1:
        return
    for element in packet.elements():
        if (element.namespaceURI, element.localName) == (_MWG, "AppliedToDimensions"):
            if orientation >= 5:
                _swap(element, _DIMENSIONS, "w", "h")
        elif _field(element, _AREA, "x") is not None:
            _turn_area(element, orientation)
        rectangle = _field(element, _MICROSOFT, "Rectangle")
        if rectangle is not None:
            _turn_rectangle(rectangle, orientation)


def _turned(x: float, y: float, orientation: int) -> tuple[float, float]:
    """A point of the stored picture, in fractions of its sides -> that of the upright one."""
    mirror_x, mirror_y = _MIRRORED[orientation]
    x, y = 1 - x if mirror_x else x, 1 - y if mirror_y else y
    return (y, x) if orientation >= 5 else (x, y)


def _turn_area(element: minidom.Element, orientation: int) -> None:
    """MWG's area: its center, and sides."""
    across, down = _field(element, _AREA, "x"), _field(element, _AREA, "y")
    if across is None or down is None:
        return
    try:
        x, y = _turned(float(_get(across)), float(_get(down)), orientation)
    except ValueError:
        return
    _set(across, f"{x:.6g}")
    _set(down, f"{y:.6g}")
    if orientation >= 5:
        _swap(element, _AREA, "w", "h")


def _turn_rectangle(field: Node, orientation: int) -> None:
    """Microsoft's "left, top, width, height"."""
    try:
        left, top, width, height = (float(part) for part in _get(field).split(","))
    except ValueError:
        return
    x1, y1 = _turned(left, top, orientation)
    x2, y2 = _turned(left + width, top + height, orientation)
    corner = min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)
    _set(field, ", ".join(f"{value:.6g}" for value in corner))


def _field(element: minidom.Element, uri: str, name: str) -> Node | None:
    """A field of a structure, which may be an attribute or an element."""
    attribute = element.getAttributeNodeNS(uri, name)
    if attribute is not None:
        return attribute
    for child in element.childNodes:
        if isinstance(child, minidom.Element):
            if (child.namespaceURI, child.localName) == (uri, name):
                return child
    return None


def _swap(element: minidom.Element, uri: str, first: str, second: str) -> None:
    one, other = _field(element, uri, first), _field(element, uri, second)
    if one is not None and other is not None:
        value = _get(one)
        _set(one, _get(other))
        _set(other, value)


def _get(field: Node) -> str:
    if isinstance(field, minidom.Attr):
        return field.value
    return "".join(child.data for child in field.childNodes if isinstance(child, minidom.Text))


def _set(field: Node, value: str) -> None:
    if isinstance(field, minidom.Attr):
        field.value = value
        return
    for child in list(field.childNodes):
        field.removeChild(child)
    document = field.ownerDocument
    assert document is not None
    field.appendChild(document.createTextNode(value))
