"""The API's description: its bodies and answers, and a plain page made from the OpenAPI schema.

The usual viewers load themselves from other people's servers; this one asks nobody.
"""

from pathlib import Path
from typing import Any

from pix2pix.app.service.parameters import Parameters
from pix2pix.templates import render

TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
}
_PHOTO: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_LIKE = {
    "description": "A photo in color of the same place, people or roll: its colors are taken where "
    "both look alike. Any other one may mislead."
}
_FIELDS = {
    "file": _PHOTO["schema"],
    "like": _PHOTO["schema"] | _LIKE,
    **Parameters.model_json_schema()["properties"],
}
BODY = {
    "required": True,
    "content": {
        "image/*": _PHOTO,
        "application/octet-stream": _PHOTO,
        "multipart/form-data": {"schema": {"type": "object", "properties": _FIELDS}},
    },
}
_ERROR = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"code": {"type": "string"}, "reason": {"type": "string"}},
        }
    }
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The photo in color.", "content": {t: _PHOTO for t in TYPES.values()}},
    **{
        status: {"description": text, "content": _ERROR}
        for status, text in {
            400: "The request is broken, a hint is, or the model takes none.",
            408: "It took too long to arrive.",
            413: "More bytes or pixels than the limit.",
            415: "Not one of the photo formats that are read.",
            422: "The photo is broken, or a parameter is.",
            429: "Too many photos wait; try again after Retry-After seconds.",
            503: "The model is missing, or the photo could not be started in time.",
            504: "The photo took too long to color.",
        }.items()
    },
}


def as_page(schema: dict[str, Any], address: str, root: str = "") -> str:
    """An OpenAPI 3 schema -> an HTML page. `address` is that of the service, `root` its path."""
    return render(
        Path(__file__).with_name("docs.html"),
        title=f"{schema['info']['title']} API {schema['info']['version']}",
        address=address,
        root=root,
        operations=[
            _operation(f"{method.upper()} {path}", operation)
            for path, methods in schema["paths"].items()
            for method, operation in methods.items()
        ],
    )


def _operation(name: str, operation: dict[str, Any]) -> dict[str, Any]:
    """What the page says of one operation."""
    return {
        "name": name,
        "about": operation.get("description", "").split("\n\n"),
        "bodies": operation.get("requestBody", {}).get("content", {}),
        "parameters": [
            [p["name"], _kind(p["schema"]), (p["schema"] | p).get("description", "")]
            for p in operation.get("parameters", [])
        ],
        "answers": [[status, a["description"]] for status, a in operation["responses"].items()],
    }


def _kind(schema: dict[str, Any]) -> str:
    """The type of a parameter in a few words: `number, 0 to 4, default 1.0`."""
    one: dict[str, Any] = next(
        (s for s in schema.get("anyOf", []) if s.get("type") != "null"), schema
    )
    words = [" | ".join(one["enum"]) if "enum" in one else str(one.get("type", ""))]
    if words == ["array"]:
        return f"{one['items']['type']}, repeatable"
    if "maximum" in one:
        words.append(f"{one.get('minimum', 0):g} to {one['maximum']:g}")
    if "default" in schema:
        words.append(f"default {schema['default']}")
    return ", ".join(words)
