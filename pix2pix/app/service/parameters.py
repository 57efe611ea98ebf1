"""The API's parameters, from the query or from fields of the form that brings the photo."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from pix2pix import images
from pix2pix.app.limits import MOST_SATURATION
from pix2pix.app.service.refusal import Refusal
from pix2pix.colorize.hints import parse
from pix2pix.colorize.wish import MOST_TEMPERATURE, Wish
from pix2pix.errors import BadHint

Format = Literal["jpeg", "png", "webp", "tiff", "bmp", "avif"]


def _format(given: object) -> object:
    """`JPG` -> `jpeg`: any case, and the names that files end in."""
    if not isinstance(given, str):
        return given
    name = given.lower()
    return images.EXTENSIONS.get(f".{name}", name).lower()


class Parameters(BaseModel):
    """How a photo is to be colored. A name that is none of these is refused."""

    model_config = ConfigDict(extra="forbid")

    saturation: float = Field(
        1.0, ge=0, le=MOST_SATURATION, description="0 is gray, 1 as predicted."
    )
    temperature: float = Field(
        0.0,
        ge=-MOST_TEMPERATURE,
        le=MOST_TEMPERATURE,
        description="Shifts b*: above 0 warmer, below 0 cooler.",
    )
    hint: list[str] = Field(
        [],
        description="A color that is known, X,Y,RRGGBB such as 120,80,c03020, in pixels "
        "from the top left of the upright photo. May be repeated.",
    )
    seed: int | None = Field(
        None, ge=0, lt=2**63, description="Samples a variant, where the net can."
    )
    format: Annotated[Format | None, BeforeValidator(_format)] = Field(
        None, description="Of the answer; the photo's own by default."
    )

    def wish(self) -> Wish:
        """How to color the photo. Raises Refusal for a hint that is none."""
        try:
            hints = [parse(text) for text in self.hint]
            return Wish(self.saturation, hints, self.seed, self.temperature)
        except BadHint as error:
            raise Refusal(400, error.code, error.reason) from None


_NAMES = tuple(Parameters.model_fields)


def gather(query: Iterable[tuple[str, str]], fields: Iterable[tuple[str, str]]) -> Parameters:
    """Validate the names and values of a query and of a form -> Parameters.

    A form may have fields for others, such as its button; they are ignored, unless the name is a
    parameter's but for a slip. So are fields that were left empty. Raises Refusal, which names the
    parameter.
    """
    given: dict[str, str] = {}
    hints: list[str] = []
    meant = [(name, value) for name, value in fields if value and _is_meant(name)]
    for name, value in [*query, *meant]:
        if name == "hint":
            hints.append(value)
        elif name in given:
            raise _refusal(f"{name[:40]}: given twice")
        else:
            given[name] = value
    try:
        return Parameters.model_validate({**given, "hint": hints})
    except ValidationError as error:
        raise _refusal(reason(error.errors()[0])) from None


def reason(error: ErrorDetails) -> str:
    """Format one of pydantic's errors as a line with the name of the parameter."""
    name = str(error["loc"][0] if error["loc"][0] != "query" else error["loc"][1])[:40]
    if error["type"] == "extra_forbidden" and name == "like":
        return "like: no parameter, but a file of the form"
    if error["type"] == "extra_forbidden":
        return f"{name}: no such parameter; there are {', '.join(_NAMES)}"
    return f"{name}: {error['msg']}"


def _is_meant(name: str) -> bool:
    return bool(get_close_matches(name.lower(), _NAMES, cutoff=0.85))


def _refusal(reason: str) -> Refusal:
    return Refusal(422, "parameter", reason)
