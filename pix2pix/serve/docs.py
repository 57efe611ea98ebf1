"""The API's description: its bodies and answers, and a plain page made from the OpenAPI schema.

The usual viewers load themselves from other people's servers; this one asks nobody.
"""

from html import escape
from typing import Any

from pix2pix.serve.parameters import Parameters

TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
}
_PHOTO: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FIELDS = {"file": _PHOTO["schema"], **Parameters.model_json_schema()["properties"]}
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

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 760px; margin: 32px auto; padding: 0 16px;
       color-scheme: light dark; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { padding: 12px; border: 1px solid #8884; border-radius: 8px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 4px 12px 4px 0;
         border-bottom: 1px solid #8884; }
"""
_EXAMPLE = "curl -F file=@old.jpg -o old.color.jpg {}/api/colorize"


def as_page(schema: dict[str, Any], address: str, root: str = "") -> str:
    """An OpenAPI 3 schema -> an HTML page. `address` is that of the service, `root` its path."""
    title = escape(f"{schema['info']['title']} API {schema['info']['version']}")
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>",
        f"<pre>{escape(_EXAMPLE.format(address))}</pre>",
    ]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(f"{method.upper()} {path}", operation))
    link = f'<a href="{escape(root)}/api/openapi.json">openapi.json</a>'
    parts.append(f"<p>For machines: {link}</p></html>")
    return "\n".join(parts)


def _operation(name: str, operation: dict[str, Any]) -> str:
    bodies = operation.get("requestBody", {}).get("content", {})
    taken = ", ".join(f"<code>{escape(kind)}</code>" for kind in bodies)
    about = "".join(f"<p>{escape(p)}</p>" for p in operation.get("description", "").split("\n\n"))
    parameters = [
        [p["name"], _kind(p["schema"]), p.get("description", p["schema"].get("description", ""))]
        for p in operation.get("parameters", [])
    ]
    answers = [[status, a["description"]] for status, a in operation["responses"].items()]
    return "\n".join(
        [
            f"<h2><code>{escape(name)}</code></h2>{about}",
            f"<p>Body: {taken}</p>" if taken else "",
            "<h3>Parameters</h3>" + _table(parameters),
            "<h3>Answers</h3>" + _table(answers),
        ]
    )


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


def _table(rows: list[list[str]]) -> str:
    cells = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"
