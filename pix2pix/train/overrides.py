"""Quote overrides: NAME=VALUE as people type them -> as Hydra's grammar needs them.

In that grammar a bare comma is a sweep, a bracket a list, and a tilde, an umlaut or two words an
error. Paths have all of these. So the value of a setting whose type is text is put in quotes here,
unless Hydra reads it as it stands; then people need none.
"""

import contextlib
import io
import os
import re
from collections.abc import Collection

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException

_OVERRIDE = re.compile(r"(\+{0,2})([\w./@-]+)=(.*)", re.DOTALL)
_QUOTED = re.compile(r"""\s*("([^"\\]|\\.)*"|'([^'\\]|\\.)*')\s*""", re.DOTALL)
_SWEEP = re.compile(r"(choice|range|interval|glob|shuffle|sort|tag)\(.*\)", re.DOTALL)
_BESIDE = ("full_key:", "object_type=", "reference_type=", "To append to")  # lines of details
_PART = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,])+|(?<=,)(?=,|$)""", re.DOTALL)


def misread(arguments: list[str]) -> str | None:
    """Why Hydra does not accept these arguments; None when it does."""
    for argument in arguments:
        if argument.startswith("="):
            return f"{argument}: not a setting; give NAME=VALUE"
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            if "--version" not in arguments:  # that prints, here already
                get_args_parser().parse_args(arguments)
    except SystemExit:
        return said.getvalue().rpartition("error: ")[2].strip()
    return None


def verbatim(arguments: list[str], texts: Collection[str]) -> list[str]:
    """Quote the values of the settings `texts` among the arguments of `pix2pix train`.

    `~/` is the home folder. What is in quotes of Hydra's is left alone, and so is null; `${...}`
    stays an interpolation. In a sweep (--multirun) each value between commas is one of its own:
    one with a comma in it needs Hydra's quotes.
    """
    sweep = not {"-m", "--multirun"}.isdisjoint(arguments)
    return [_verbatim(argument, texts, sweep=sweep) for argument in arguments]


def _verbatim(argument: str, texts: Collection[str], *, sweep: bool) -> str:
    match = _OVERRIDE.fullmatch(argument)
    if match is None or match[2] not in texts:
        return argument
    name, value = match[1] + match[2], match[3]
    if sweep and _SWEEP.fullmatch(value.strip()):
        return argument
    parts = _PART.findall(value) if sweep else [value]
    return f"{name}={','.join(_text(name, part) for part in parts)}"


def _text(name: str, value: str) -> str:
    """A value quoted where Hydra would not read it as this text."""
    if value in ("", "null") or _QUOTED.fullmatch(value):
        return value
    if value.startswith("~"):
        value = os.path.expanduser(value)
    return value if _reads(name, value) else quote(value)


def _reads(name: str, value: str) -> bool:
    """Whether Hydra reads the bare value as this very text."""
    try:
        parsed = OverridesParser.create().parse_override(f"{name}={value}")
    except HydraException:
        return False
    return not parsed.is_sweep_override() and parsed.value() == value


def quote(text: str) -> str:
    r"""Quote a text for Hydra: ' becomes \', and only backslashes before a quote are doubled."""
    return "'" + re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), text) + "'"


def explain(error: Exception) -> str:
    """Hydra's error of many lines -> one line."""
    if isinstance(error, OverrideParseException):
        return _unread(error.override)
    said = f"{error}\n{error.__cause__ or ''}".partition("Config search path")[0]
    lines = list(dict.fromkeys(line.strip() for line in said.splitlines()))
    kept = [line for line in lines if line and not line.startswith(_BESIDE)]
    return " ".join(kept) or type(error).__name__


def _unread(override: str) -> str:
    """Which override Hydra's grammar refuses, and the fix."""
    name, equals, value = override.partition("=")
    if not equals:
        return f"{override}: not a setting; give NAME=VALUE"
    return (
        f"{override}: Hydra cannot read this value; as text it needs quotes: {name}={quote(value)}"
    )
