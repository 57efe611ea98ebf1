"""Forms: parse multipart/form-data as it streams in -> its photo, a reference, and its fields.

Starlette's own form parser would write all of a file to the disk before anybody could say no.
"""

import re

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pix2pix.app.limits import (
    FORM_BOUNDARY_BYTES,
    FORM_FIELD_BYTES,
    FORM_PARTS,
    FORM_PREAMBLE_BYTES,
)
from pix2pix.app.service.refusal import Refusal

LIKE = "like"
"""The field whose file is a photo to take colors from."""
_QUOTED = re.compile(rb'"(?:\\.|[^"\\])*"')
_EXTENDED = re.compile(rb";\s*filename\*", re.IGNORECASE)  # RFC 8187; none of a form's, yet sent


class Form:
    """A form with one photo, whatever its field is called, and perhaps another as `like`.

    A file field that nobody filled comes as a file of no bytes: it does not count.
    """

    def __init__(self, boundary: bytes, most: int):
        """Takes files of `most` bytes each. Raises Refusal for a boundary that is none."""
        if not 0 < len(boundary) <= FORM_BOUNDARY_BYTES:
            raise Refusal(
                400, "bad_request", f"the boundary must have 1 to {FORM_BOUNDARY_BYTES} bytes"
            )
        self.fields: list[tuple[str, str]] = []
        self._most, self._photo, self._like = most, bytearray(), bytearray()
        self._first = re.compile(rb"(?:\A|\n)(?=--" + re.escape(boundary) + rb"(?:\r\n|--))")
        self._preamble: bytearray | None = bytearray()  # None once the first boundary came
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header,
                "on_part_data": self._data,
                "on_part_end": self._part,
                "on_end": self._end,
            },
        )
        self._parts = self._empty = self._field_bytes = 0
        self._ended = self._is_file = False
        self._header_bytes, self._value_bytes = bytearray(), bytearray()
        self._name, self._text = "", bytearray()  # of a field
        self._size = 0  # of the part

    def take(self, chunk: bytes) -> None:
        """Take the next bytes of the body. Raises Refusal."""
        if self._preamble is not None:
            self._preamble += chunk
            found = self._first.search(self._preamble)
            if (found.start() if found else len(self._preamble)) > FORM_PREAMBLE_BYTES:
                raise Refusal(400, "bad_request", "the form does not begin with its boundary")
            if found is None:
                return
            chunk, self._preamble = bytes(self._preamble[found.end() :]), None
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Refusal(400, "bad_request", "the form is broken") from error

    @property
    def like(self) -> bytes | None:
        """The file of the field `like`, a photo in color to take colors from."""
        return bytes(self._like) or None

    def photo(self) -> bytes:
        """The photo, once all has come. Raises Refusal."""
        if not self._ended:
            raise Refusal(400, "bad_request", "the form has no end")
        if not self._photo:
            reason = "the file is empty" if self._empty else "no file in the form; send one"
            raise Refusal(422, "unreadable", reason)
        return bytes(self._photo)

    def _begin(self) -> None:
        self._parts += 1
        self._is_file, self._name, self._size = False, "", 0
        if self._parts > FORM_PARTS:
            raise Refusal(400, "bad_request", f"more than {FORM_PARTS} parts in the form")

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_bytes += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value_bytes += data[start:end]

    def _header(self) -> None:
        if self._header_bytes.lower() == b"content-disposition":
            value = bytes(self._value_bytes)
            _, options = parse_options_header(value)
            bare = _QUOTED.sub(b'""', value)
            self._is_file = b"filename" in options or bool(_EXTENDED.search(bare))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._header_bytes.clear()
        self._value_bytes.clear()

    def _data(self, data: bytes, start: int, end: int) -> None:
        first, self._size = not self._size, self._size + end - start
        if not self._is_file:
            self._field_bytes += end - start
            if self._field_bytes > FORM_FIELD_BYTES:
                reason = f"more than {FORM_FIELD_BYTES:,} bytes of fields in the form"
                raise Refusal(413, "too_large", reason)
            self._text += data[start:end]
            return
        file = self._like if self._name == LIKE else self._photo
        if first and file:
            reason = "several files in the form; send one, and one as `like`"
            raise Refusal(422, "unreadable", reason)
        if self._size > self._most:
            raise Refusal(413, "too_large", f"more than the limit of {self._most:,} bytes")
        file += data[start:end]

    def _part(self) -> None:
        if self._is_file:
            self._empty += not self._size and self._name != LIKE
        elif self._name == LIKE and self._text:
            raise Refusal(422, "parameter", f"{LIKE}: send it as a file")
        else:
            self.fields.append((self._name, self._text.decode("utf-8", "replace")))
            self._text.clear()

    def _end(self) -> None:
        self._ended = True
