"""Optional packages: what to install where one is missing."""

import importlib.metadata
import re

_OURS = "pix2pix-color"


def line(error: ModuleNotFoundError) -> str | None:
    """One line that says what to install, or None when a module of our own is missing."""
    if error.name is None:  # raised by us, with advice
        return str(error)
    module = error.name.partition(".")[0]
    if module == "pix2pix":
        return None
    found = extra(module)
    what = f"pip install {module}" if found is None else f"pip install '{_OURS}[{found}]'"
    return f"this needs the package {module}, which is not installed: {what}"


def extra(module: str) -> str | None:
    """The extra of ours that brings a module, as the package's metadata lists them, or None."""
    matches = []
    for requirement in _requirements():
        name, mark = re.match(r"[\w.-]+", requirement), re.search(r"extra == .(\w+)", requirement)
        if name is None or mark is None:
            continue
        package = re.sub(r"[-_.]+", "-", name[0]).lower()
        wanted = re.sub(r"[-_.]+", "-", module).lower()
        if package in (wanted, f"python-{wanted}") or package.startswith(f"{wanted}-"):
            matches.append((len(package), mark[1]))  # hydra is hydra-core, no plug-in of it
    return min(matches, key=lambda match: match[0])[1] if matches else None


def _requirements() -> list[str]:
    try:
        return importlib.metadata.requires(_OURS) or []
    except importlib.metadata.PackageNotFoundError:  # a copy that was never installed
        return []
