"""The commands `pix2pix colorize` and `pix2pix translate`; __main__.py registers them.

Only typer is imported up here, so that `pix2pix --help` stays quick.
"""

import os
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from typer import BadParameter, Exit

from pix2pix.archives.addresses import is_url, local_path, shown
from pix2pix.cli import console, options
from pix2pix.cli.runs import Run
from pix2pix.errors import BadHint, SettingError

if TYPE_CHECKING:
    from pix2pix.colorize.copies import Maker
    from pix2pix.colorize.folders import FileOptions
    from pix2pix.colorize.wish import Wish
    from pix2pix.images.credentials import Credentials


def colorize(
    photos: options.Photos,
    out: options.Out = None,
    weights: options.Weights = "default",
    saturation: options.Saturation = 1.0,
    hint: options.Hints = None,
    take: options.Take = None,
    temperature: options.Temperature = 0.0,
    like: options.Like = None,
    device: options.Device = "auto",
    engine: options.ColorEngine = "auto",
    overwrite: options.Overwrite = False,
    shard: options.Shard = None,
    as_json: options.AsJson = False,
    every_file: options.EveryFile = False,
    follow: options.Follow = False,
    keep_gps: options.KeepGps = False,
    keep_metadata: options.KeepMetadata = False,
    sidecars: options.Sidecars = False,
    allow_truncated: options.AllowTruncated = False,
    max_pixels: options.MaxPixels = 100_000_000,
    skip_color: options.SkipColor = False,
    watch: options.Watch = False,
    manifest: options.Manifest = None,
    address: options.Address = None,
    depth: options.Depth = "16",
    layer: options.Layer = False,
    mark: options.Mark = False,
    c2pa: options.C2pa = None,
    pages: options.Pages = "first",
) -> None:
    """Color photos: `scan.tif` -> `scan.color.tif` beside it, or under OUT; films likewise.

    Put -- before names that begin with a dash.
    """
    from pix2pix.colorize.copies import maker, signed_copy
    from pix2pix.colorize.folders import FileOptions
    from pix2pix.film import names
    from pix2pix.images.task import COLOR, LAYER

    inputs, out = _here(photos), out and _here([out])[0]
    films, photos = names.parted(inputs)
    wish = _wish(saturation, None if films else hint, take, temperature)
    run = Run(
        photos,
        out,
        _part(shard),
        as_json,
        every_file,
        follow,
        watch,
        manifest,
        films,
        in_parts=shard is not None,
    )
    if hint and run.several:
        raise BadParameter("--hint is for one photo, or one film")
    if layer and mark:
        raise BadParameter("--mark is for the colored photo, not for its --layer")
    files = FileOptions(
        overwrite=overwrite,
        skip_color=skip_color,
        depth=int(depth),
        max_pixels=max_pixels,
        allow_truncated=allow_truncated,
        keep_gps=keep_gps or keep_metadata,
        copy_sidecars=sidecars,
        pages=pages,
    )
    if c2pa is not None and pages == "all":
        raise BadParameter("--c2pa signs photos one by one, not --pages all")
    if c2pa is not None and (run.remote or manifest is not None or engine == "ray"):
        raise BadParameter("--c2pa signs files of this machine, without --manifest")
    seals = None if c2pa is None else _credentials(*c2pa)
    if like is not None:
        wish = _with_like(wish, like, files)

    task = LAYER if layer else COLOR
    if engine == "ray":
        from pix2pix.cli.fleet import fleet

        colors = fleet(
            weights, device, wish, files, address, relative=run.relative, layer=layer, mark=mark
        )
        raise Exit(run.in_archives(task, files, fleet=colors))
    if address is not None:
        raise BadParameter("--address is that of a Ray cluster: give --engine ray with it")
    model = cache(partial(console.load_model, weights, device, engine))

    def load() -> "Maker":
        make = maker(model(), wish, layer=layer, mark=mark)
        return make if seals is None else partial(signed_copy, make=make, credentials=seals)

    if not films:
        raise Exit(run(task, load, files))
    from pix2pix.cli.films import color_films

    given = {"--watch": watch, "--layer": layer, "--mark": mark, "--c2pa": c2pa is not None}
    given |= {"--sidecars": sidecars, "--pages": pages == "all"}
    for option in (option for option, is_given in given.items() if is_given):
        raise BadParameter(f"{option} is for photos")
    alone = len(inputs) == 1
    colored = color_films(
        films, wish, hint or [], files, model, out=out, alone=alone, shard=run.part
    )
    raise Exit(run(task, load, files, colored))


def translate(
    photos: options.Photos,
    weights: options.Translation,
    out: options.Out = None,
    seed: options.Seed = None,
    device: options.Device = "auto",
    engine: options.Engine = "auto",
    overwrite: options.Overwrite = False,
    shard: options.Shard = None,
    as_json: options.AsJson = False,
    every_file: options.EveryFile = False,
    follow: options.Follow = False,
    keep_gps: options.KeepGps = False,
    sidecars: options.Sidecars = False,
    allow_truncated: options.AllowTruncated = False,
    max_pixels: options.MaxPixels = 100_000_000,
    watch: options.Watch = False,
) -> None:
    """Translate pictures by a net of your own: `map.png` -> `map.translated.png`, or under OUT.

    Put -- before names that begin with a dash.
    """
    from pix2pix.colorize.copies import translate_photo
    from pix2pix.colorize.folders import FileOptions
    from pix2pix.images.task import TRANSLATE

    files = FileOptions(
        overwrite=overwrite,
        max_pixels=max_pixels,
        allow_truncated=allow_truncated,
        keep_gps=keep_gps,
        copy_sidecars=sidecars,
    )

    def load() -> "Maker":
        model = console.load_translator(weights, device, engine)
        return partial(translate_photo, model=model, seed=seed)

    photos, out = _here(photos), out and _here([out])[0]
    given = shard is not None
    run = Run(photos, out, _part(shard), as_json, every_file, follow, watch, in_parts=given)
    raise Exit(run(TRANSLATE, load, files))


def _here(paths: list[str]) -> list[str]:
    """The same, with plain paths in the place of file:// URLs."""
    return [local_path(path) or path for path in paths]


def _wish(
    saturation: float, hints: list[str] | None, seed: int | None, temperature: float
) -> "Wish":
    from pix2pix.colorize.hints import parse
    from pix2pix.colorize.wish import Wish

    try:
        return Wish(saturation, [parse(text) for text in hints or []], seed, temperature)
    except ValueError as error:  # of the saturation, or BadHint
        raise BadParameter(error.reason if isinstance(error, BadHint) else f"{error}") from error


def _with_like(wish: "Wish", path: str, files: "FileOptions") -> "Wish":
    """The wish with a photo to take colors from, or end the command in one line."""
    from pix2pix.colorize.reference import Reference
    from pix2pix.errors import PhotoError

    with console.reported(shown(path), PhotoError):
        picture = _read_url(path, files) if is_url(path) else path
        return replace(wish, like=Reference.of(picture, max_pixels=files.max_pixels))


def _read_url(address: str, files: "FileOptions") -> bytes:
    from pix2pix.archives.stores import read_address

    return read_address(address, max_bytes=files.max_bytes)


def _credentials(certificate: str, key: str) -> "Credentials":
    """What signs copies, or end the command in one line."""
    from pix2pix.cli import packages
    from pix2pix.images.credentials import Credentials

    packages.need("c2pa", "--c2pa", "c2pa")
    try:
        return Credentials(certificate, key)
    except (OSError, ValueError) as error:
        raise BadParameter(f"--c2pa: {error}") from error


def _part(shard: str | None) -> tuple[int, int]:
    """Parse "I/N", or "auto" by the environment -> (i, n) with 1 <= i <= n; None is all."""
    from pix2pix.archives import shards

    if shard is None:
        return 1, 1
    try:
        return shards.parse(shard, os.environ)
    except SettingError as error:
        raise BadParameter(error.reason) from error
