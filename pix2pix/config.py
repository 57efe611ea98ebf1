"""Typed configuration, generated from the signatures that own the defaults.

Each class or function that takes hyper-parameters becomes a Hydra schema, so that a default stands
in one place, an override needs no `++`, and a misspelt key or a wrong type names itself.
"""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from pix2pix import nets, recipes
from pix2pix.data import Photos, prepare
from pix2pix.loggers import Loggers
from pix2pix.recipes import recipe_class


def schema(
    name: str, *sources: Callable, skip: tuple[str, ...] = (), extra: dict[str, Any] | None = None
) -> type:
    """A dataclass of the keyword-only parameters of `sources`, with their types and defaults.

    `skip` leaves parameters out, `extra` adds fields. Those without a default are mandatory.
    """
    fields: dict[str, tuple] = {}
    for source in sources:
        hints = typing.get_type_hints(source.__init__ if inspect.isclass(source) else source)
        for p in inspect.signature(source).parameters.values():
            if p.kind == p.KEYWORD_ONLY and p.name not in skip:
                fields[p.name] = (p.name, plain(hints[p.name]), as_field(p.default))
    for key, value in (extra or {}).items():
        fields[key] = (key, typing.Any if value is None else str, as_field(value))
    return dataclasses.make_dataclass(name, fields.values())


def plain(hint: Any) -> Any:
    """The OmegaConf type for a signature's: tuples are lists, a path is a string."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        inner = [plain(h) for h in typing.get_args(hint) if h is not type(None)]
        first = str if str in inner else inner[0]
        return first | None if type(None) in typing.get_args(hint) else first
    if origin is tuple:
        return list[typing.get_args(hint)[0]]  # type: ignore[misc]
    return hint


def as_field(default: Any) -> Any:
    """A dataclass field for a default; mutable ones are copied."""
    if default is inspect.Parameter.empty:
        return dataclasses.field(default=MISSING)
    if isinstance(default, (tuple, list)):
        return dataclasses.field(default_factory=lambda: list(default))
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default))
    return dataclasses.field(default=default)


@dataclasses.dataclass
class TrainConfig:
    """The whole of a training run's configuration."""

    run_dir: str = MISSING
    recipe: Any = None
    data: Any = None
    trainer: Any = None
    logger: Any = None


def register(*trainer: Callable) -> None:
    """Put the schemas into Hydra's store; `trainer` are the functions that own the loop's."""
    store = ConfigStore.instance().store
    store(name="schema_run", node=TrainConfig)
    for name in recipes.names():
        target = recipes.read(name)["target"]
        node = schema(target, recipe_class(target), extra={"target": MISSING, "generator": None})
        store(group="recipe", name=f"schema_{target}", node=node)
    for name, net in nets.GENERATORS.items():
        node = schema(name, net, extra={"net": MISSING})
        store(group="recipe/generator", name=f"schema_{name}", node=node)
    # one seed rules a run, the trainer's; the split follows from whether `val` is given
    extra = {"path": MISSING, "val": None}
    data = schema("Data", Photos, prepare, skip=("seed", "split"), extra=extra)
    store(group="data", name="schema_photos", node=data)
    store(group="trainer", name="schema_fit", node=schema("Trainer", *trainer))
    store(group="logger", name="schema_loggers", node=schema("Logger", Loggers))
