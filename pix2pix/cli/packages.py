"""Optional packages: what to install where one is missing, as the package's metadata lists them."""

import re
from functools import cache
from importlib.util import find_spec

_OURS = "pix2pix-color"
_NAMED_OTHERWISE = {"yaml": "pyyaml", "skimage": "scikit-image", "PIL": "pillow"}
# extras that bring all of what a command may miss; others get the first extra that brings a module
_OF_COMMAND = {"train": "train", "report": "train", "download": "train", "serve": "app"}


def line(error: ModuleNotFoundError, command: str | None = None) -> str | None:
    """One line that says what to install, or None when a module of our own is missing.

    Of the extras that bring the module, `command` prefers its own.
    """
    if error.name is None:  # raised by us, with advice
        return str(error)
    module = error.name.partition(".")[0]
    if module == "pix2pix":
        return None
    found = extra(module, _OF_COMMAND.get(command or ""))
    return f"this needs the package {module}, which is not installed: {install(module, found)}"


def install(module: str, extra: str | None) -> str:
    """The pip line that brings a module: by an extra of ours, or by its own name."""
    if extra is None:
        return f"pip install {_NAMED_OTHERWISE.get(module, module)}"
    return f"pip install '{_OURS}[{extra}]'"


def need(module: str, what: str, extra: str) -> None:
    """Raise ModuleNotFoundError, with the extra to install, unless the module can be imported."""
    if find_spec(module) is None:
        raise ModuleNotFoundError(f"{what} needs: {install(module, extra)}")


def extra(module: str, preferred: str | None = None) -> str | None:
    """The extra of ours that brings a module, or None; `preferred` where that does, too."""
    if preferred is not None and any(_brings(name, module) for name in packages(preferred)):
        return preferred
    matches = [(len(n), e) for e in extras() for n in extras()[e] if _brings(n, module)]
    return min(matches, key=lambda match: match[0])[1] if matches else None  # hydra is hydra-core


def _brings(package: str, module: str) -> bool:
    wanted = re.sub(r"[-_.]+", "-", _NAMED_OTHERWISE.get(module, module)).lower()
    return package in (wanted, f"python-{wanted}") or package.startswith(f"{wanted}-")


def packages(extra: str) -> list[str]:
    """The packages of an extra and of those that it names, normalized: `pip install 'x[extra]'`."""
    found: list[str] = []
    for name in extras().get(extra, []):
        inner = re.fullmatch(rf"{_OURS}\[(.+)\]", name)
        found += [p for e in inner[1].split(",") for p in packages(e)] if inner else [name]
    return found


@cache
def extras() -> dict[str, list[str]]:
    """The packages that each extra lists, normalized; other extras as `pix2pix-color[name]`."""
    found: dict[str, list[str]] = {}
    for requirement in _requirements():
        name = re.match(rf"{_OURS}\[[\w,-]+\]|[\w.-]+", requirement)
        mark = re.search(r"extra == .(\w+)", requirement)
        if name is not None and mark is not None:
            found.setdefault(mark[1], []).append(re.sub(r"[-_.]+", "-", name[0]).lower())
    return found


def _requirements() -> list[str]:
    import importlib.metadata  # which `pix2pix --help` does not wait for

    try:
        return importlib.metadata.requires(_OURS) or []
    except importlib.metadata.PackageNotFoundError:  # a copy that was never installed
        return []
