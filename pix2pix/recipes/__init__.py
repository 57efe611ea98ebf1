"""Recipes: one class and one YAML file each. The YAML files are the registry.

`names()` lists them, `build(name)` makes one. A YAML file holds what differs from the signatures of
the classes it names: the recipe's `target`, its arguments, and its `generator` by name.
"""

import importlib
import inspect
from importlib.resources import files
from typing import Any

import yaml
from torch import nn

from pix2pix import nets
from pix2pix.recipes.base import Recipe

CONFIGS = files("pix2pix") / "configs" / "recipe"


def names() -> list[str]:
    """The recipes there are: the stems of `configs/recipe/*.yaml`."""
    return stems(CONFIGS)


def generators() -> list[str]:
    """The generators there are: the stems of `configs/recipe/generator/*.yaml`."""
    return stems(CONFIGS / "generator")


def stems(folder: Any) -> list[str]:
    """The names of the YAML files in a package folder, sorted."""
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def about(name: str) -> str:
    """What a recipe is, in one line: the first of its YAML."""
    read(name)  # names what there is
    return (CONFIGS / f"{name}.yaml").read_text().splitlines()[0].removeprefix("# ")


def read(name: str) -> dict[str, Any]:
    """The YAML of a recipe as a dict, its `defaults` list included. Unknown name: ValueError."""
    if name not in names():
        raise ValueError(f"recipe {name!r}: one of {', '.join(names())}")
    return yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())


def build(name: str, *, generator: dict[str, Any] | str | None = None, **overrides: Any) -> Recipe:
    """Build a recipe by name, its arguments overridden by keyword.

    `generator` is the name of another generator, or a dict of arguments for the recipe's own, or
    for another class with `net` among them: `build("unet_l1", generator="mobilenet_v2")`,
    `build("pix2pix", generator={"width": 32}, l1=30)`. Raises ValueError for an unknown name,
    TypeError for an argument that the class does not take; both say what there is.
    """
    config = read(name)
    defaults = [d for d in config.pop("defaults") if isinstance(d, dict)]
    default = next(d["generator"] for d in defaults if "generator" in d)
    chosen = generator if isinstance(generator, str) else default
    if chosen not in generators():
        raise ValueError(f"generator {chosen!r}: one of {', '.join(generators())}")
    net = yaml.safe_load((CONFIGS / "generator" / f"{chosen}.yaml").read_text())
    del net["defaults"]
    mine = generator if isinstance(generator, dict) else {}
    if mine.get("net", net["net"]) != net["net"]:
        net = {}  # the arguments of another class
    net |= config.pop("generator", {}) | mine
    return assemble({**config, **overrides, "generator": net})


def assemble(config: dict[str, Any]) -> Recipe:
    """{"target": ..., "generator": {"net": ..., ...}, ...} -> the recipe, arguments checked."""
    config = dict(config)
    cls = recipe_class(config.pop("target"))
    generator = build_generator(config.pop("generator"))
    return call(cls, config, generator)


def recipe_class(path: str) -> type[Recipe]:
    """ "pix2pix.Pix2Pix" -> the class of that name in `pix2pix/recipes/pix2pix.py`."""
    module, _, cls = path.partition(".")
    return getattr(importlib.import_module(f"pix2pix.recipes.{module}"), cls)


def build_generator(config: dict[str, Any]) -> nn.Module:
    """{"net": "UNet", "width": 32, ...} -> the net; `config_of` gives the dict back, completed.

    Raises ValueError for an unknown class, TypeError for an unknown argument.
    """
    arguments = dict(config)
    name = arguments.pop("net", None)
    if name not in nets.GENERATORS:
        raise ValueError(f"generator class {name!r}: one of {', '.join(nets.GENERATORS)}")
    cls = nets.GENERATORS[name]
    net = call(cls, arguments)
    defaults = {key: p.default for key, p in inspect.signature(cls).parameters.items()}
    net.config = {"net": name, **defaults, **arguments}
    net.config.pop("weights", None)  # where an encoder's came from is no property of the net
    return net


def config_of(generator: nn.Module) -> dict[str, Any]:
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


def call(cls: Any, arguments: dict[str, Any], *first: Any) -> Any:
    """Make `cls(*first, **arguments)`; an unknown argument is a TypeError that lists the known."""
    known = [p.name for p in inspect.signature(cls).parameters.values() if p.kind == p.KEYWORD_ONLY]
    for key in arguments:
        if key not in known:
            raise TypeError(f"{cls.__name__} takes no {key!r}; it takes {', '.join(known)}")
    lists = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    return cls(*first, **lists)
