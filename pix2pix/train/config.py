"""Typed configuration, generated from the signatures that own the defaults.

Each class or function that takes hyper-parameters becomes a Hydra schema, so that a default stands
in one place, an override needs no `++`, and a misspelt key or a wrong type names itself.
"""

import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf
from torch import nn

from pix2pix import recipes
from pix2pix.data import drawn
from pix2pix.data.aligned import Aligned
from pix2pix.data.pairs import Pairs
from pix2pix.data.photos import Photos, prepare
from pix2pix.data.pictures import Examples, Pictures, RandomCrop
from pix2pix.download import SOURCES
from pix2pix.errors import DataError, SettingError, one_line
from pix2pix.nets.build import GENERATORS, Config, parameters
from pix2pix.recipes.base import Recipe
from pix2pix.train.loggers import TRACKERS, Loggers
from pix2pix.train.processes import launch
from pix2pix.train.settings import Intervals, Optimization, Start

# What data.* may open, and the setting that only it has: photos have none.
KINDS: dict[str, type[Pictures]] = {"gray_folder": Pairs, "direction": Aligned}
WORLD = "world"  # the setting of drawn scenes, which have no files
TO_TRANSLATE = {"in_channels": 3, "out_channels": 3}  # of a generator: RGB to RGB
DOUBLES = 0.01  # share of the validation photos that may be trained on, too, and are left out


def schema(
    name: str,
    *sources: Callable[..., object],
    skip: tuple[str, ...] = (),
    extra: dict[str, tuple[Any, Any]] | None = None,
) -> type:
    """A dataclass of the settings of `sources`, with their types and defaults.

    `skip` leaves some out, `extra` adds or replaces some, as {name: (type, default)}. Those without
    a default are mandatory.
    """
    fields: dict[str, tuple[Any, Any]] = {}
    for source in sources:
        for key, found in parameters(source).items():
            fields[key] = field_type(found.annotation), found.default
    fields = {key: field for key, field in fields.items() if key not in skip} | (extra or {})
    made = [(key, hint, field_of(default)) for key, (hint, default) in fields.items()]
    return dataclasses.make_dataclass(name, made)


def field_type(hint: Any) -> Any:
    """Type hint of a signature -> OmegaConf's type: tuples become lists, a path a string."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        known = [field_type(a) for a in arguments if a is not types.NoneType]
        chosen = str if str in known else known[0]
        return chosen | None if types.NoneType in arguments else chosen
    if typing.get_origin(hint) is tuple:
        return list[arguments[0]]  # type: ignore[valid-type]
    return hint


def field_of(default: object) -> Any:
    """A dataclass field for a default; mutable ones are copied."""
    if default is inspect.Parameter.empty:
        return dataclasses.field(default=MISSING)
    if isinstance(default, (tuple, list)):
        return dataclasses.field(default_factory=lambda: list(default))
    return dataclasses.field(default=default)


def register() -> frozenset[str]:
    """Register the schemas with Hydra -> names of the settings of type str, like data.path."""
    texts: set[str] = set()

    def store(name: str, node: type, group: str | None = None) -> None:
        ConfigStore.instance().store(name, node, group=group)
        prefix = f"{group.replace('/', '.')}." if group else ""
        kinds = {field.name: field.type for field in dataclasses.fields(node)}
        texts.update(prefix + key for key, kind in kinds.items() if kind in (str, str | None))

    groups = dict.fromkeys(("recipe", "data", "trainer", "logger"), (Any, None))
    store(
        name="schema_run", node=schema("TrainConfig", extra={"run_dir": (str, MISSING), **groups})
    )
    for name in recipes.names():
        target = recipes.read(name)["target"]
        more = {"target": (str, target), "generator": (Any, None)}
        node = schema(target, recipes.recipe_class(target), extra=more)
        store(group="recipe", name=f"schema_{target}", node=node)
    for name, net in GENERATORS.items():
        node = schema(name, net, extra={"net": (str, name)})
        store(group="recipe/generator", name=f"schema_{name}", node=node)
    # one seed rules a run, the trainer's; the split follows from whether `val` is given; a size
    # that is not given follows from the net
    chosen = {"path": (str, MISSING), "val": (str | None, None), "size": (int | None, None)}
    for name, kinds in {
        "photos": (Photos, RandomCrop, prepare),
        "pairs": (Photos, Pairs, RandomCrop, prepare),
        "aligned": (Aligned, RandomCrop),
    }.items():
        node = schema(name, *kinds, skip=("seed", "split"), extra=chosen)
        store(group="data", name=f"schema_{name}", node=node)
    node = schema("drawn", drawn.Drawn, skip=("seed", "split"), extra={"size": chosen["size"]})
    store(group="data", name="schema_drawn", node=node)
    trainer = schema("Trainer", launch, Optimization, Intervals, Start)
    store(group="trainer", name="schema_fit", node=trainer)
    store(group="logger", name="schema_loggers", node=schema("Logger", Loggers))
    for name, tracker in TRACKERS.items():
        node = schema(name, Loggers, tracker, extra={"tracker": (str, MISSING)})
        store(group="logger", name=f"schema_{name}", node=node)
    return frozenset(texts)


def plain(config: DictConfig) -> Config:
    """Composed configuration -> dicts. Raises SettingError when a mandatory setting is missing."""
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise SettingError(f"{missing[0]}: not given, such as in: {missing[0]}=...")
    settings: Config = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    if not str(settings["run_dir"]).strip():
        raise SettingError("run_dir: empty; give a folder for the run")
    return settings


def kind_of(data: Config) -> type[Pictures]:
    """The class of the files that the settings data.* are about."""
    return next((kind for setting, kind in KINDS.items() if setting in data), Photos)


def task_of(data: Config) -> str:
    """What data.* asks of a net: "color" or "translate". Raises SettingError for another world."""
    if WORLD not in data:
        return kind_of(data).task
    if data[WORLD] not in drawn.TASKS:
        raise SettingError(f"data.world={data[WORLD]}: {' or '.join(drawn.TASKS)}")
    return drawn.TASKS[data[WORLD]]


def for_task(recipe: Config, data: Config) -> Config:
    """The settings recipe.* with a generator for what the data asks: RGB to RGB, or L to ab.

    Raises SettingError for one that cannot do it, or was told otherwise.
    """
    net = recipe["generator"]
    if task_of(data) == "color":
        if net.get("in_channels") == TO_TRANSLATE["in_channels"]:
            raise SettingError(
                "recipe.generator.in_channels=3: photos to color have 1, L, or 4 with hints"
            )
        return recipe
    known = parameters(GENERATORS[net["net"]])
    if not TO_TRANSLATE.keys() <= known.keys():
        raise SettingError(
            f"recipe.generator: this {net['net']} colors photos; RGB to RGB takes a net with "
            "in_channels and out_channels, such as recipe/generator=unet"
        )
    for key, wanted in TO_TRANSLATE.items():
        if net.get(key, wanted) not in (wanted, known[key].default):
            raise SettingError(f"recipe.generator.{key}={net[key]}: RGB to RGB takes {wanted}")
    return {**recipe, "generator": {**net, **TO_TRANSLATE}}


def for_photos_only(setting: str) -> bool:
    """Whether other data than photos lacks a setting because it is of no use there: data.film."""
    group, _, name = setting.partition(".")
    photos = parameters(prepare).keys() | (parameters(Photos).keys() - parameters(Pictures).keys())
    return group == "data" and name in photos


def fitting_size(size: int | None, generator: nn.Module) -> int:
    """The side of the crops: as given, or the default, rounded up to the net's multiple.

    Raises SettingError when the given one does not fit.
    """
    multiple = int(generator.multiple)  # type: ignore[arg-type]
    wanted = parameters(Photos)["size"].default if size is None else size
    fitting = max(1, math.ceil(wanted / multiple)) * multiple
    if size not in (None, fitting):
        raise SettingError(
            f"data.size={size}: this {type(generator).__name__} takes multiples of {multiple}, "
            f"such as {fitting}"
        )
    return fitting


def check_sizes(
    sizes: list[int], size: int, generator: nn.Module, critic: nn.Module | None = None
) -> None:
    """Raise SettingError unless the nets accept each of `sizes`, or `size` if there are none.

    None of `sizes` may be above `size`.
    """
    multiple = int(generator.multiple)  # type: ignore[arg-type]
    if unfit := [s for s in sizes if s % multiple or not 0 < s <= size]:
        raise SettingError(
            f"trainer.sizes={sizes}: {unfit[0]} is no multiple of {multiple} from {multiple} to "
            f"data.size={size}"
        )
    least = min(sizes or [size])
    if least < (smallest := getattr(critic, "smallest", 1)):
        name = f"trainer.sizes={sizes}" if sizes else f"data.size={size}"
        raise SettingError(
            f"{name}: this recipe's {type(critic).__name__} takes {smallest} pixels or more"
        )


def check_classes(recipe: Recipe, photos: Examples) -> None:
    """Raise SettingError unless the photos have as many classes as the recipe needs, if any."""
    count = photos.labels.count if photos.labels else 0
    if recipe.classes not in (0, count):
        raise SettingError(
            f"data.labels: the recipe wants {recipe.classes} classes, these photos have {count}"
        )


def build_loggers(settings: Config) -> Loggers:
    """Build the loggers of a run from all its settings. Raises SettingError."""
    given, run_dir = settings["logger"], settings["run_dir"]
    also = []
    if name := given.get("tracker"):
        if name not in TRACKERS:
            raise SettingError(f"logger.tracker={name}: {', '.join(TRACKERS)}")
        chosen = {key: given[key] for key in parameters(TRACKERS[name])}
        also.append(TRACKERS[name](run_dir, settings, **chosen))
    return Loggers(run_dir, also, **{key: given[key] for key in parameters(Loggers)})


def open_photos(data: Config, *, seed: int) -> tuple[Examples, Examples | None]:
    """Open the training and the validation pictures, by the settings data.*.

    Without a folder for validation, some are held out; None when there are too few.
    Photos that are in both are left out of validation: published splits may have a few. Raises
    DataError when there is nothing to train on, or when many are in both; SettingError for settings
    out of range.
    """
    if WORLD in data:
        return _draw(data, seed, "train"), _draw(data, seed, "val")
    kind = kind_of(data)
    names = {name for source in (kind, RandomCrop) for name in parameters(source)}
    settings = {name: data[name] for name in names & data.keys()} | {"seed": seed}
    path, val_path = data["path"], data["val"]
    for key, folder in (("path", path), ("val", val_path)):
        if folder == "":
            raise SettingError(f"data.{key}: empty; give a folder or a zip of photos")
        if folder is not None:
            _check_exists(Path(folder))
    try:
        photos = kind(path, **settings, split="all" if val_path else "train")
    except DataError:
        raise
    except ValueError as error:
        raise SettingError(f"data: {error}") from error
    try:
        val = kind(val_path or path, **settings, split="all" if val_path else "val")
    except DataError:
        if val_path:
            raise
        return photos, None
    both = val.shared_with(photos)
    if val_path and len(both) > DOUBLES * len(val):
        raise DataError(
            f"{val_path}: {len(both)} of {len(val)} validation photos are trained on too "
            f"({', '.join(both[:3])}); scores on them would mean nothing"
        )
    val.drop(both)
    return photos, val if len(val) else None


def _draw(data: Config, seed: int, split: str) -> drawn.Drawn:
    """The scenes of one split of a drawn world. Raises SettingError for settings out of range."""
    try:
        return drawn.Drawn(world=data[WORLD], size=data["size"], seed=seed, split=split)
    except ValueError as error:
        raise SettingError(f"data: {error}") from error


def _check_exists(path: Path) -> None:
    """Raise DataError for a path that does not exist, with the command that brings it, if any."""
    try:
        there = path.exists()
    except (OSError, ValueError) as error:  # a name that is too long or holds a zero byte
        raise DataError(f"{str(path)[:200]!r}: {one_line(error)}") from error
    if there and not (path.is_dir() or path.is_file()):  # a pipe would be waited for, for ever
        raise DataError("neither a folder nor a zip of photos", path)
    if there:
        return
    for folder in (path, *path.parents):
        if folder.name in SOURCES:
            command = f"pix2pix download {folder.name} {folder.parent}"
            raise DataError(f"there is nothing of this name; {command} brings it", path)
