"""The header of a weights file, and where weights are found; without torch.

A name is looked up among the bundled weights, then as a file, then as a repo on the Hugging Face
Hub. A file is data from strangers: its header can name no class but the generators here.
"""

import dataclasses
import json
import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from pix2pix import __version__
from pix2pix.color import AB_SCALE
from pix2pix.errors import WeightsError, one_line
from pix2pix.images.task import TASKS

BUNDLED = files("pix2pix") / "pretrained"
_REPO_ID = re.compile(r"[^./\s\\][^/\s\\]*/[^/\s\\]+")  # owner/name; the Hub knows the rest
_LONGEST = 200  # characters of a name in a message
HUB_FILE = "model.safetensors"
COURSE = ("pix2pix", "pix2pix-l1")  # bundled in a checkout; not in the package, to keep it small
_COURSE_IN = "https://github.com/pix2pixcolor/pix2pixcolor/tree/main/pix2pix/pretrained"
EXPORTED = ".onnx"  # ending of a net as a graph, which needs no torch; its header is the same
AB_SCALES = (AB_SCALE, 128.0)  # ours, and that of nets from elsewhere
# of a net's input; a header may not ask for more: 64 channels of float32 take 270 MB at this size,
# so that a file from a stranger cannot take a machine's memory
MOST_PIXELS = 1024 * 1024
# pixels that a net sees, over those of a picture larger than `area`: pixels taken as they are look
# sharper than the photos that it was trained on, which were resized twice
_SEEN = (7 / 8) ** 2


@dataclass
class Header:
    """Metadata of a weights file."""

    generator: dict[str, Any]  # class and arguments of the net
    name: str = "unnamed"
    recipe: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)  # of the recipe
    ab_scale: float = AB_SCALE  # ab of the net times this is a*, b*
    head: str = "ab"  # what the net predicts
    task: str = "color"  # or "translate": RGB -> RGB, not a photo's colors
    in_channels: int = field(init=False)  # of the net's input, as `generator` has it
    area: int = 256 * 256  # pixels of the net's input at which it colors best
    large_area: int | None = None  # the same for large pictures; None: as `area`
    saturation: float = 1.0  # calibration of the chroma, measured on held-out photos
    steps: int = 0
    data: str = ""
    version: str = __version__

    def __post_init__(self) -> None:
        self.in_channels = self.generator.get("in_channels", 1)

    def area_for(self, height: int, width: int) -> int:
        """How many pixels the net's input has for a picture of height x width [px].

        `area`, or for larger pictures what has seven eighths of their sides, up to `large_area`.
        Weights that have no `large_area` see every picture at `area`.
        """
        seen = round(_SEEN * height * width)
        return max(self.area, min(seen, self.large_area or self.area))


def bundled() -> list[str]:
    """Names of the weights that come with the package."""
    if not BUNDLED.is_dir():
        return []
    names = [f.name.rpartition(".") for f in BUNDLED.iterdir()]
    return sorted({name for name, _, ending in names if ending in ("safetensors", "onnx")})


def find(source: str | Path) -> Path:
    """Resolve a bundled name, a path, or a Hub repo id "owner/name" -> the .safetensors file.

    Any file that is there is taken. Raises WeightsError when it is none of them, or cannot be
    fetched.
    """
    return _find(source, ".safetensors")


def find_exported(source: str | Path) -> Path | None:
    """Find weights as `find` does -> their net as a graph (.onnx), or None where there is none.

    For a .safetensors file that is the .onnx file beside it; whether it was made of these weights,
    its metadata say. Raises WeightsError for what `find` does not know.
    """
    if str(source) in bundled():
        path = Path(str(BUNDLED / f"{source}{EXPORTED}"))
        return path if path.is_file() else None
    if _is_file(source):
        path = Path(source)
        beside = path.with_suffix(EXPORTED)
        known = path.suffix in (".safetensors", EXPORTED)
        return beside if known and beside.is_file() else None
    try:
        return _find(source, EXPORTED)
    except WeightsError:
        find(source)  # which is there, or says why not
        return None


def _find(source: str | Path, ending: str) -> Path:
    text = str(source)
    if text in bundled():
        path = Path(str(BUNDLED / f"{text}{ending}"))
        if not path.is_file():
            raise WeightsError(f"these weights are here without their {ending} file", text)
        return path
    if _is_file(source):
        return Path(source)
    if text.isprintable() and _REPO_ID.fullmatch(text) and not text.endswith(("tensors", EXPORTED)):
        return _from_hub(text, Path(HUB_FILE).with_suffix(ending).name)
    if text in COURSE:
        reason = f"not in this package; give the path of a file of {_COURSE_IN}"
        raise WeightsError(f"{reason}, with the extra torch", text)
    names = ", ".join([*bundled(), "a .safetensors or .onnx file"])
    raise WeightsError(f"no such weights; give {names} or a Hub repo id, owner/name", _plain(text))


def _is_file(source: str | Path) -> bool:
    try:
        return Path(source).is_file()
    except OSError as error:  # such as a name that is too long
        reason = error.strerror or one_line(error)
        raise WeightsError(reason, _plain(str(source))) from error


def _plain(text: str) -> str:
    """A name as one line, quoted and cut where it could be none."""
    return text if text.isprintable() and len(text) <= _LONGEST else repr(text[:_LONGEST])


def _from_hub(repo_id: str, file: str) -> Path:
    try:
        from huggingface_hub import hf_hub_download
    except ModuleNotFoundError as error:
        advice = "weights from the Hub need: pip install 'pix2pix-color[torch]'"
        raise ModuleNotFoundError(advice) from error
    try:
        return Path(hf_hub_download(repo_id, file))
    except Exception as error:  # the client's own, and those of the library below it
        raise WeightsError(
            f"no such file, and not fetched from the Hugging Face Hub: {one_line(error)}", repo_id
        ) from error


def read_header(path: str | Path) -> Header:
    """Read the header of a .safetensors file; keys that this version does not know are ignored.

    Raises WeightsError when the file is none of ours, or a value is invalid.
    """
    try:
        with safe_open(path, "np") as file:
            raw = (file.metadata() or {}).get("pix2pix")
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"not a safetensors file: {one_line(error)}", path) from error
    if raw is None:
        raise WeightsError("a safetensors file, but without this package's header", path)
    return parse_header(raw, path)


def parse_header(raw: str, path: str | Path) -> Header:
    """Parse the header's JSON, as `read_header`."""
    try:
        given = json.loads(raw)
        known = [f.name for f in dataclasses.fields(Header) if f.init]
        header = Header(**{key: value for key, value in given.items() if key in known})
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise WeightsError(f"its header cannot be read: {one_line(error)}", path) from error
    for key, value in vars(header).items():
        if not _valid(key, value):
            raise WeightsError(f"its header says {key}={str(value)[:80]}", path)
    return header


def check_task(header: Header, task: str, source: str | Path) -> None:
    """Raise WeightsError, with the command that takes them, unless the weights are for `task`."""
    if header.task != task:
        right = TASKS[header.task]
        said = f"they {right.does}, with `pix2pix {right.command}`"
        raise WeightsError(f"these weights do not {task}: {said}", source)


def _valid(key: str, value: object) -> bool:
    """Whether a header's value has its type and is in range."""
    if key in ("generator", "arguments"):
        return isinstance(value, dict)
    if key in ("steps", "in_channels", "area"):
        most = {"steps": 10**12, "in_channels": 10**7, "area": MOST_PIXELS}[key]
        least = 0 if key == "steps" else 1
        return type(value) is int and least <= value <= most
    if key == "large_area":
        return value is None or _valid("area", value)
    if key == "task":
        return isinstance(value, str) and value in TASKS
    if key == "saturation":
        return isinstance(value, int | float) and value is not True and 0 < value <= 10
    if key == "ab_scale":
        return value in AB_SCALES
    return isinstance(value, str)
