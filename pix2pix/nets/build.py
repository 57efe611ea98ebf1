"""Registry of the nets: what a configuration or a weights file may build."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

T = TypeVar("T")
Config = dict[str, Any]
"""Arguments by name, as YAML and JSON have them: numbers, text, and lists and dicts of these."""


def _generators() -> dict[str, type[nn.Module]]:
    """The classes of this folder with an attribute `predicts`, by name."""
    found: dict[str, type[nn.Module]] = {}
    for file in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"{__package__}.{file.name}")
        for name, cls in inspect.getmembers(module, inspect.isclass):
            imported = cls.__module__ != module.__name__
            if not imported and issubclass(cls, nn.Module) and hasattr(cls, "predicts"):
                found[name] = cls
    return found


GENERATORS = _generators()


def build_generator(config: Config) -> nn.Module:
    """{"net": "UNet", "width": 32, ...} -> the net; `config_of` gives the dict back, completed.

    Raises ValueError for an unknown class, TypeError for an unknown argument.
    """
    arguments = upgraded(config)
    name = arguments.pop("net", None)
    if name not in GENERATORS:
        raise ValueError(f"generator class {name!r}: one of {', '.join(GENERATORS)}")
    net = call(GENERATORS[name], arguments)
    defaults = {key: p.default for key, p in parameters(GENERATORS[name]).items()}
    whole = {"net": name, **defaults, **arguments}
    whole.pop("weights", None)  # where an encoder's came from is no property of the net
    net.config = whole  # type: ignore[assignment]
    return net


def config_of(generator: nn.Module) -> Config:
    """The dict from which `build_generator` makes this net again, every argument in it.

    Raises ValueError for a net that `build_generator` did not make: its arguments are not known.
    """
    config = getattr(generator, "config", None)
    if not isinstance(config, dict):
        raise ValueError(
            f"this {type(generator).__name__} does not know its arguments; make it by "
            f'build_generator({{"net": "{type(generator).__name__}", ...}})'
        )
    return dict(config)


def upgraded(config: Config) -> Config:
    """Upgrade a net's configuration that version 0.1.0 may have written -> a copy."""
    later: Config = {"BackboneUNet": {"light": False}}  # arguments that came later, by class
    later |= dict.fromkeys(("UNet", "UNetVariant"), {"noise": 0})
    config = {**later.get(str(config.get("net")), {}), **config}
    usual = {"norm": "instance", "padding": "zeros", "leaky_skips": False}  # arguments of UNet then
    if config.get("net") == "UNet" and usual.keys() & config.keys():
        if all(config.get(key, value) == value for key, value in usual.items()):
            return {key: value for key, value in config.items() if key not in usual}
        config["net"] = "UNetVariant"
    return config


def call(cls: Callable[..., T], arguments: Config, *first: object) -> T:
    """Make `cls(*first, **arguments)`; an unknown argument is a TypeError that lists the known."""
    known = parameters(cls)
    for key in arguments:
        if key not in known:
            raise TypeError(f"{cls.__name__} takes no {key!r}; it takes {', '.join(known)}")
    lists = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    return cls(*first, **lists)


def parameters(source: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a function or class by name: its settings.

    Those of a class that takes `**others` are its base class's as well.
    """
    found = inspect.signature(source, eval_str=True).parameters
    own = {name: p for name, p in found.items() if p.kind == p.KEYWORD_ONLY}
    if inspect.isclass(source) and any(p.kind == p.VAR_KEYWORD for p in found.values()):
        return parameters(source.__base__) | own  # type: ignore[arg-type]
    return own
