"""Recipes: a class and a YAML file each, or two YAMLs for a class. The YAML files are the registry.

base.py is their contract; pix2pix.py, unet_l1.py, hinted.py, chromagan.py and precursor.py have
the classes; perceptual.py is a loss of some, teacher.py the classifier that ChromaGAN learns
from.

`names()` lists them, `build(name)` makes one. A YAML file holds what differs from the signatures
of the class that its `schema_...` names: the recipe's arguments, and its `generator` by name.
"""

import importlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from pix2pix.nets.build import Config, build_generator, call, upgraded
from pix2pix.recipes.base import Recipe

CONFIGS = files("pix2pix") / "configs" / "recipe"


def names() -> list[str]:
    """Names of the recipes: the stems of `configs/recipe/*.yaml`."""
    return stems(CONFIGS)


def generators() -> list[str]:
    """Names of the generators: the stems of `configs/recipe/generator/*.yaml`."""
    return stems(CONFIGS / "generator")


def stems(folder: Traversable) -> list[str]:
    """The names of the YAML files in a package folder, sorted."""
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def about(name: str) -> str:
    """One line about a recipe: the first of its YAML."""
    read(name)  # names what there is
    return (CONFIGS / f"{name}.yaml").read_text().splitlines()[0].removeprefix("# ")


def read(name: str) -> Config:
    """The YAML of a recipe as a dict, with `target`, its class. Unknown name: ValueError."""
    return _read(CONFIGS, name, kind="recipe", key="target")


def read_generator(name: str) -> Config:
    """The YAML of a generator as a dict, with `net`, its class. Unknown name: ValueError."""
    return _read(CONFIGS / "generator", name, kind="generator", key="net")


def _read(folder: Traversable, name: str, *, kind: str, key: str) -> Config:
    """A YAML file as a dict; `key` is the class with whose schema its `defaults` begin."""
    if name not in (known := stems(folder)):
        raise ValueError(f"{kind} {name!r}: one of {', '.join(known)}")
    config = yaml.safe_load((folder / f"{name}.yaml").read_text())
    return {key: config["defaults"][0].removeprefix("schema_"), **config}


def build(name: str, *, generator: Config | str | None = None, **overrides: Any) -> Recipe:
    """Build a recipe by name, its arguments overridden by keyword.

    `generator` is the name of another generator, or a dict of arguments for the recipe's own, or
    for another class with `net` among them: `build("unet_l1", generator="mobilenet_v2")`,
    `build("pix2pix", generator={"width": 32}, l1=30)`. Raises ValueError for an unknown name,
    TypeError for an argument that the class does not take; both say what there is.
    """
    config = read(name)
    defaults = [d for d in config.pop("defaults") if isinstance(d, dict)]
    default = next(d["generator"] for d in defaults if "generator" in d)
    net = read_generator(generator if isinstance(generator, str) else default)
    del net["defaults"]
    mine = generator if isinstance(generator, dict) else {}
    if mine.get("net", net["net"]) != net["net"]:
        net = {}  # the arguments of another class
    net |= config.pop("generator", {}) | mine
    return assemble({**config, **overrides, "generator": net})


def assemble(config: Config) -> Recipe:
    """{"target": ..., "generator": {"net": ..., ...}, ...} -> the recipe, arguments checked."""
    config = renamed(config)
    cls = recipe_class(config.pop("target"))
    generator = build_generator(config.pop("generator"))
    return call(cls, config, generator)


def renamed(config: Config) -> Config:
    """Upgrade a recipe's configuration that version 0.1.0 may have written -> a copy."""
    config = dict(config)
    if config.get("target") == "hints.Hints":
        config["target"] = "hinted.Hinted"
    if isinstance(config.get("generator"), dict):
        config["generator"] = upgraded(config["generator"])
    return config


def recipe_class(path: str) -> type[Recipe]:
    """ "pix2pix.Pix2Pix" -> the class of that name in `pix2pix/recipes/pix2pix.py`."""
    module, _, cls = path.partition(".")
    return getattr(importlib.import_module(f"pix2pix.recipes.{module}"), cls)
