"""The command `pix2pix doctor`; __main__.py registers it.

Only typer is imported up here, so that `pix2pix --help` stays quick.
"""

import contextlib
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from pix2pix import __version__
from pix2pix.cli import packages
from pix2pix.terminal import escape, put

Facts = dict[str, Any]


def doctor(
    as_json: Annotated[bool, Option("--json", help="The same as one JSON object.")] = False,
) -> None:
    """Say what is here: versions, engines, picture formats, weights, and extras to install."""
    facts = examine()
    if as_json:
        print(json.dumps(facts))
    else:
        put("\n".join(escape(line) for line in lines(facts)))


def examine() -> Facts:
    """What is here, as it stands under --json."""
    import platform

    engines = {"onnx": _onnx(), "openvino": _openvino(), "torch": _torch()}
    chosen, why = _chosen(engines)
    read, written = _formats()
    return {
        "version": __version__,
        "folder": str(Path(packages.__file__).parents[1]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": _cores(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "engines": engines,
        "engine": chosen,
        "why": why,
        "reads": read,
        "writes": written,
        "weights": _weights(),
        "extras": {
            name: {
                "missing": [p for p in packages.packages(name) if _version(p) is None],
                "install": packages.install(name, name),
            }
            for name in packages.extras()
        },
    }


def lines(facts: Facts) -> list[str]:
    """The facts as lines for people."""
    engines = [f"{name}: {_said(engine)}" for name, engine in facts["engines"].items()]
    limit = facts["OMP_NUM_THREADS"]
    threads = f"{facts['cores']} cores" + (f", OMP_NUM_THREADS={limit}" if limit else "")
    weights = (f"{name} ({', '.join(kinds)})" for name, kinds in facts["weights"].items())
    rows = [
        ("pix2pix", [f"{facts['version']} in {facts['folder']}"]),
        ("Python", [f"{facts['python']} on {facts['platform']}, {threads}"]),
        ("engines", engines),
        ("auto takes", [f"{facts['engine'] or 'none'}: {facts['why']}"]),
        ("reads", [_with_gaps(facts["reads"])]),
        ("writes", [_with_gaps(facts["writes"])]),
        ("weights", [", ".join(weights) or "none"]),
        ("extras", [_state(name, extra) for name, extra in facts["extras"].items()]),
    ]
    return [
        f"{title if i == 0 else '':10}  {text}"
        for title, texts in rows
        for i, text in enumerate(texts or ["unknown: this copy was not installed by pip"])
    ]


def _said(engine: Facts | None) -> str:
    if engine is None:
        return "not installed"
    if "error" in engine:
        return f"does not load: {engine['error']}"
    more = ", ".join(engine["devices"])
    if "bf16" in engine:
        more += ", bf16 native" if engine["bf16"] else ", no native bf16"
    return f"{engine['version']} ({more})"


def _with_gaps(formats: dict[str, bool]) -> str:
    there = ", ".join(name for name, is_there in formats.items() if is_there)
    gaps = ", ".join(name for name, is_there in formats.items() if not is_there)
    return there + (f"; not {gaps}" if gaps else "")


def _state(name: str, extra: Facts) -> str:
    return f"{name}: {extra['install'] if extra['missing'] else 'installed'}"


def _chosen(engines: dict[str, Facts | None]) -> tuple[str | None, str]:
    """The engine that `auto` takes for the bundled weights, and why."""
    usable = {name: e for name, e in engines.items() if e is not None and "error" not in e}
    gpus = [device for device in usable.get("torch", {}).get("devices", []) if device != "cpu"]
    if gpus:
        return "torch", f"there is a GPU, {gpus[0]}"
    if usable.get("openvino", {}).get("bf16"):
        return "openvino", "installed, and this CPU has bf16"
    if "onnx" in usable:
        none = "torch is not installed" if engines.get("torch") is None else "torch finds no GPU"
        return "onnx", none
    return ("torch", "the only one") if "torch" in usable else (None, "pip install onnxruntime")


def _onnx() -> Facts | None:
    return _engine("onnxruntime", lambda _: {"devices": ["cpu"]})  # whatever else it was built for


def _openvino() -> Facts | None:
    def devices(openvino: Any) -> Facts:
        core = openvino.Core()
        able = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return {"devices": [name.lower() for name in core.available_devices], "bf16": able}

    return _engine("openvino", devices)


def _torch() -> Facts | None:
    def devices(torch: Any) -> Facts:
        gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        return {"devices": ["cpu", *gpus, *["mps"] * torch.backends.mps.is_available()]}

    return _engine("torch", devices)


def _engine(package: str, devices: Any) -> Facts | None:
    """An engine's version and what `devices` finds; None where it is missing, "error" if broken."""
    try:
        return {"version": _version(package)} | devices(importlib.import_module(package))
    except ModuleNotFoundError as error:
        if error.name == package:
            return None
        return {"error": str(error)}
    except Exception as error:  # a library for another CPU, a driver: anything
        from pix2pix.errors import one_line

        return {"error": one_line(error)}


def _formats() -> tuple[dict[str, bool], dict[str, bool]]:
    """The formats that are read and written -> whether this Pillow can."""
    from PIL import features

    from pix2pix.errors import UnsupportedFormat
    from pix2pix.images.formats import READABLE, writable_format

    def there(name: str) -> bool:
        if name == "HEIF":
            return _version("pi-heif") is not None
        codec = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000", "JPEG": "jpg"}.get(name)
        return codec is None or bool(features.check(codec))

    written = []
    for name in READABLE:
        with contextlib.suppress(UnsupportedFormat):
            written.append(writable_format(name))
    return {name: there(name) for name in READABLE}, {name: there(name) for name in written}


def _weights() -> dict[str, list[str]]:
    """The bundled weights -> the endings of their files."""
    found: dict[str, list[str]] = {}
    folder = Path(packages.__file__).parents[1] / "pretrained"
    for path in sorted(folder.glob("*")):
        if path.suffix in (".safetensors", ".onnx"):
            found.setdefault(path.stem, []).append(path.suffix)
    return found


def _cores() -> int:
    if sys.platform == "linux":  # those that this process may use
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str) -> str | None:
    import importlib.metadata  # which `pix2pix --help` does not wait for

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
