"""The command line: `pix2pix colorize | evaluate | report | train | convert | download | serve`
and `export`.

Only typer is imported up here, so that `pix2pix --help` answers at once; every command imports
what it needs. Exit status: 0 when every input has its output, 2 when some failed, 1 when all
failed or the usage is wrong, 130 after Ctrl-C.
"""

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from pix2pix import __version__, packages, terminal
from pix2pix.console import Device, Weights, load_model, print_records, reported
from pix2pix.convert.command import convert
from pix2pix.errors import DataError, ExportError, PhotoError, WeightsError
from pix2pix.report.evaluate_command import evaluate
from pix2pix.report.report_command import report

if TYPE_CHECKING:
    from pix2pix.colorize import Colorizer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes a tenth of a second to import
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Color for black-and-white photographs.",
)
_ClickError: Any = typer.BadParameter.__mro__[2]  # ClickException: typer brings its own click


def main(arguments: list[str] | None = None) -> int:
    """Run the command line (`sys.argv` by default) and return the exit status."""
    terminal.prepare()
    try:
        status = app(arguments, prog_name="pix2pix", standalone_mode=False)
        sys.stdout.flush()
        return status or 0
    except _ClickError as error:
        error.show()
        return 1
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:  # `pix2pix ... | head`: what reads us has seen enough
        terminal.drop_broken()
        return 1
    except ModuleNotFoundError as error:
        line = packages.line(error)
        if line is None:  # one of our own: a fault
            raise
        print(terminal.escape(line), file=sys.stderr)
        return 1
    except OSError as error:  # such as a full disk behind stdout
        terminal.drop_broken()
        print(terminal.escape(f"error: {error}"), file=sys.stderr)
        return 1


def _version(asked: bool) -> None:
    if asked:
        print(f"pix2pix {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def colorize(
    photos: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO|FOLDER|GLOB|- ...", help="`-` reads one photo from a pipe."),
    ],
    out: Annotated[
        str | None,
        typer.Option("-o", "--out", help="A folder, a file for one photo, or - for a pipe."),
    ] = None,
    weights: Weights = "default",
    saturation: Annotated[float, typer.Option(min=0, help="0 is gray, 1 as predicted.")] = 1.0,
    hint: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y,#RRGGBB", help="The color at a pixel of one photo; repeat it."),
    ] = None,
    take: Annotated[
        int | None, typer.Option(min=0, help="Another take: other colors where it is unsure.")
    ] = None,
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Redo what is there.")] = False,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Only the I-th of N parts.")] = "1/1",
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON record a photo on stdout.")
    ] = False,
    every_file: Annotated[
        bool, typer.Option("--all", help="In folders, also files without extension.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Follow links out of a folder.")] = False,
    keep_gps: Annotated[
        bool, typer.Option("--keep-gps", help="Keep the place where it was taken, too.")
    ] = False,
    keep_metadata: Annotated[  # its former name
        bool, typer.Option("--keep-metadata", hidden=True)
    ] = False,
    sidecars: Annotated[
        bool, typer.Option("--sidecars", help="Copy XMP sidecars beside the output, too.")
    ] = False,
    allow_truncated: Annotated[
        bool, typer.Option("--allow-truncated", help="Color what is there of a cut file.")
    ] = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger photos.")] = 100_000_000,
    skip_color: Annotated[
        bool, typer.Option("--skip-color", help="Leave photos alone that are in color.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running and color what appears.")
    ] = False,
) -> None:
    """Color photos: `scan.tif` -> `scan.color.tif` beside it, or under OUT.

    Put -- before names that begin with a dash.
    """
    from pix2pix import folders, jobs, pipe
    from pix2pix.hints import parse
    from pix2pix.tally import Tally
    from pix2pix.watch import watch as watch_for

    try:
        hints = [parse(text) for text in hint or []]
    except PhotoError as error:
        raise typer.BadParameter(error.reason) from error
    if hints and (len(photos) > 1 or os.path.isdir(photos[0]) or watch):
        raise typer.BadParameter("--hint is for one photo")
    coloring: dict[str, Any] = {"saturation": saturation, "hints": hints, "seed": take}
    reading: dict[str, Any] = {"max_pixels": max_pixels, "allow_truncated": allow_truncated}
    part, keep_gps = _part(shard), keep_gps or keep_metadata
    piped = "-" in photos or out == "-"
    if piped and (len(photos) > 1 or os.path.isdir(photos[0]) or watch or as_json):
        raise typer.BadParameter("- takes one photo, without --json or --watch")
    tallies: dict[str, Tally] = {}

    def load() -> "Colorizer":
        return load_model(weights, device)

    def scan() -> Iterable[jobs.Job | jobs.Record]:
        return jobs.find(
            photos, out=out, every_file=every_file, follow=follow, shard=part, tallies=tallies
        )

    bar = sys.stderr.isatty() and not piped
    total = sum(isinstance(job, jobs.Job) for job in scan()) if bar and not watch else None
    if piped:
        records = pipe.run(photos[0], out or "-", load, coloring, overwrite, keep_gps, reading)
    else:
        records = folders.run(
            watch_for(scan) if watch else scan(),
            load,
            coloring=coloring,
            overwrite=overwrite,
            skip_color=skip_color,
            keep_gps=keep_gps,
            copy_sidecars=sidecars,
            **reading,
        )
    status = print_records(
        records,
        as_json=as_json,
        bar=bar,
        total=total,
        summary=not piped,
        tallies=tallies,
        inputs=photos,
    )
    raise typer.Exit(status)


app.command()(evaluate)
app.command()(report)
app.command()(convert)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
)
def train(context: typer.Context) -> None:
    """Train a recipe; the arguments are Hydra's (`pix2pix train --help` lists them)."""
    from pix2pix.train import main as train_main

    raise typer.Exit(train_main(context.args))


class _Download(typer.core.TyperCommand):
    """A command whose help lists the sources, out of the registry that it loads only then."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from pix2pix.download import SOURCES

        size = {k: f"{v.size / 1e9:.2f} GB" for k, v in SOURCES.items()}
        lines = (f"{k}: {v.pictures} ({size[k]}). Terms: {v.terms}." for k, v in SOURCES.items())
        self.epilog = "\n\n".join(["Sources:", *lines])
        super().format_help(ctx, formatter)


@app.command(cls=_Download)
def download(
    name: Annotated[str, typer.Argument(metavar="SOURCE", help="One of those listed below.")],
    dest: Annotated[str, typer.Argument(metavar="DEST", help="The photos go to DEST/SOURCE.")],
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Another address of the same archive.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the archive, too.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many, of those that come one by one.")
    ] = None,
) -> None:
    """Download photos to train on, check and unpack them; run it again to go on after a cut."""
    from pix2pix.download import SOURCES, download

    if name in SOURCES:
        print(f"{name}: {SOURCES[name].terms}", file=sys.stderr)
    try:
        with reported(name, DataError, code="download"):
            folder = download(name, dest, source_url=url, keep=keep, limit=limit)
        print(folder)
    except KeyboardInterrupt:
        print(f"{name}: stopped; the same command goes on from here", file=sys.stderr)
        raise


@app.command()
def serve(
    weights: Weights = "default",
    host: Annotated[str, typer.Option(help="0.0.0.0 answers other machines, too.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 7860,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Photos at a time; one a core, at most 4, by default.")
    ] = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="With the web page at /.")] = True,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Also answer to this name (Host), beside localhost and --host; * is any. "
            "May be repeated.",
        ),
    ] = None,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Show Prometheus' figures at /metrics, to anyone.")
    ] = False,
    root_path: Annotated[
        str, typer.Option(metavar="/PATH", help="The path at which a proxy shows it to others.")
    ] = "",
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="A site whose pages may call the API; repeat it."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Serve the page at / and an API at /api/colorize (its description is at /api)."""
    try:
        from pix2pix import serve as service
    except ModuleNotFoundError as error:
        raise typer.BadParameter(str(error)) from error
    from pix2pix.colorize import Colorizer

    try:
        places = {
            "root_path": service.parse_root(root_path),
            "cors": [service.parse_origin(origin) for origin in cors or []],
        }
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error

    def load() -> "Colorizer":
        return Colorizer.from_pretrained(weights, device=device)

    def load_course() -> "Colorizer | None":
        return None if weights == "pix2pix" else Colorizer.from_pretrained("pix2pix", device=device)

    try:
        service.Hosts.of(host, allow_host or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--allow-host") from error
    service.run(
        load,
        host=host,
        port=port,
        workers=workers,
        load_course=load_course,
        page=page,
        allow_hosts=allow_host or (),
        metrics=metrics,
        **places,  # type: ignore[arg-type]
    )


@app.command()
def export(
    weights: Annotated[str, typer.Argument(metavar="WEIGHTS", help="As for --weights.")],
    kind: Annotated[str, typer.Argument(metavar="space|hub", help="What to make of them.")],
    dest: Annotated[str, typer.Argument(metavar="DEST", help="A folder, or a repo owner/name.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write a Hugging Face Space into a folder, or push weights to the Hub with a model card."""
    from pix2pix.export import push_to_hub, write_space

    if kind not in ("space", "hub"):
        raise typer.BadParameter(f"{kind}: give space or hub")
    make = write_space if kind == "space" else push_to_hub
    with reported(dest, ExportError, OSError, code="export"), reported(weights, WeightsError):
        made = make(weights, dest, overwrite=overwrite)
    print(made)


def _part(shard: str) -> tuple[int, int]:
    """Parse "I/N" -> (i, n) with 1 <= i <= n."""
    part, _, parts = shard.partition("/")
    if part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts):
        return int(part), int(parts)
    raise typer.BadParameter(f"--shard is I/N such as 2/8, not {shard}")


if __name__ == "__main__":
    sys.exit(main())
