"""The command line: `pix2pix colorize | translate | evaluate | report | train | convert`,
`download`, `serve`, `export`, `prune`, `gates` and `doctor`; `pix2pix PHOTO` is
`pix2pix colorize PHOTO`.

Only typer is imported up here, so that `pix2pix --help` answers at once; every command imports
what it needs. Exit status: 0 when every input has its output, 2 when some failed, 1 when all
failed or the usage is wrong, 130 after Ctrl-C. Of a part of a run (`--shard`) with failures it is 2
when all its photos were tried, and 1 when another try may do more.
"""

import os
import sys
from functools import partial
from typing import Annotated, Any

import typer
import typer.core

from pix2pix import __version__, terminal
from pix2pix.cli import options, packages
from pix2pix.cli.compress import export_int8, gates, prune
from pix2pix.cli.console import reported
from pix2pix.cli.convert import convert
from pix2pix.cli.doctor import doctor
from pix2pix.cli.evaluate import evaluate
from pix2pix.cli.group import Commands
from pix2pix.cli.pictures import colorize, translate
from pix2pix.cli.report import report
from pix2pix.errors import DataError, ExportError, WeightsError

try:
    from typer._click.exceptions import ClickException  # typer brings its own click
except ModuleNotFoundError:  # older ones share the package click
    from click.exceptions import ClickException  # type: ignore[assignment]

app = typer.Typer(
    cls=Commands,
    subcommand_metavar="COMMAND|PHOTO [ARGS]...",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes a tenth of a second to import
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Color for black-and-white photographs: `pix2pix PHOTO` colors one.",
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line (`sys.argv` by default) and return the exit status."""
    terminal.prepare()
    # of numpy's matrix products: threads that wait in a loop, for products larger than any here
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        status = app(arguments, prog_name="pix2pix", standalone_mode=False)
        sys.stdout.flush()
        return status or 0
    except ClickException as error:
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


app.command()(colorize)
app.command()(translate)
app.command()(evaluate)
app.command()(report)
app.command()(convert)
app.command()(doctor)
app.command()(prune)
app.command()(gates)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
)
def train(context: typer.Context) -> None:
    """Train a recipe; the arguments are Hydra's (`pix2pix train --help` lists them)."""
    from pix2pix.train.__main__ import main as train_main

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
        packages.need("filelock", "downloading", "train")
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
    weights: options.Weights = "default",
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
            help="Also answer to this name (Host), beside localhost, --host; * is any; repeat it.",
        ),
    ] = None,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Show Prometheus metrics at /metrics, to anyone.")
    ] = False,
    root_path: Annotated[
        str, typer.Option(metavar="/PATH", help="The path at which a proxy shows it to others.")
    ] = "",
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="A site whose pages may call the API; repeat it."),
    ] = None,
    device: options.Device = "auto",
    engine: options.Engine = "auto",
) -> None:
    """Serve the page at / and an API at /api/colorize (its description is at /api)."""
    if page:
        packages.need("gradio", "the page (--no-page: the API alone)", "app")
    from pix2pix.app.service import server as service
    from pix2pix.colorize.colorizer import Colorizer

    try:
        settings = service.Settings(
            host=host,
            port=port,
            workers=workers,
            page=page,
            allow_hosts=allow_host or (),
            metrics=metrics,
            root_path=service.parse_root(root_path),
            cors=[service.parse_origin(origin) for origin in cors or []],
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    load = partial(Colorizer.from_pretrained, weights, device=device, engine=engine)
    service.run_service(load, settings)


@app.command()
def export(
    weights: Annotated[str, typer.Argument(metavar="WEIGHTS", help="As for --weights.")],
    kind: Annotated[str, typer.Argument(metavar="space|hub|onnx", help="What to make of them.")],
    dest: Annotated[
        str, typer.Argument(metavar="DEST", help="A folder, a repo owner/name, or an .onnx file.")
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="onnx: compute in 8 bits.")] = False,
    data: Annotated[
        str | None, typer.Option("--data", metavar="PHOTOS", help="--int8: color photos.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="--int8: keep it in any case.")] = False,
) -> None:
    """Write a Hugging Face Space into a folder, push weights to the Hub, or write an ONNX file.

    An ONNX file runs without PyTorch; it is kept only if its answers are those of PyTorch. With
    --int8 it is smaller and quicker; it is kept only if the colors of photos stay, see `gates`.
    """
    if kind not in ("space", "hub", "onnx"):
        raise typer.BadParameter(f"{kind}: give space, hub or onnx")
    if int8 and kind != "onnx":
        raise typer.BadParameter("--int8 is for onnx")
    with reported(dest, ExportError, OSError, code="export"), reported(weights, WeightsError):
        if kind == "onnx":
            packages.need("onnxscript", "exporting to ONNX", "train")
        if int8:
            with reported(data, DataError):
                made = export_int8(weights, dest, data, overwrite=overwrite, force=force)
        elif kind == "onnx":
            from pix2pix.colorize.engines.export import export_onnx

            done = export_onnx(weights, dest, overwrite=overwrite)
            terminal.put(f"{done.size / 1e6:.1f} MB; at most {done.difference:.1g} beside PyTorch")
            times = f"{done.torch_ms:.1f} ms in PyTorch, {done.onnx_ms:.1f} ms in ONNX Runtime"
            terminal.put(f"a pass: {times} (CPU, threads: {done.threads})")
            made = str(done.path)
        elif kind == "space":
            from pix2pix.app.space import write_space

            made = str(write_space(weights, dest, overwrite=overwrite))
        else:
            from pix2pix.weights.hub import push_to_hub

            made = push_to_hub(weights, dest, overwrite=overwrite)
    print(made)


if __name__ == "__main__":
    sys.exit(main())
