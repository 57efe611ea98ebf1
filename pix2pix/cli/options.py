"""Options of `colorize` and `translate`, three of which other commands share, as types.

Defaults stand where an option is taken. Only typer is imported up here, as in __main__.py.
"""

from typing import Annotated, Literal

from typer import Argument, Option

Weights = Annotated[
    str, Option(metavar="W", help="default, a .safetensors or .onnx file, or a Hub repo id.")
]
Translation = Annotated[
    str, Option("--weights", metavar="W", help="A .safetensors or .onnx file, or a Hub repo id.")
]
Device = Annotated[str, Option(help="auto, cpu, cuda, cuda:1, mps ...")]

Engine = Annotated[
    Literal["auto", "onnx", "openvino", "torch"],
    Option(metavar="E", help="auto, onnx, openvino or torch."),
]
ColorEngine = Annotated[
    Literal["auto", "onnx", "openvino", "torch", "ray"],
    Option(metavar="E", help="auto, onnx, openvino or torch; ray: many machines, by Ray Data."),
]
Manifest = Annotated[
    str | None,
    Option(metavar="PATH", help="Note what became of each photo: a folder or URL of parquet."),
]
Address = Annotated[
    str | None,
    Option(
        metavar="ADDR",
        help="The Ray cluster to use, auto or HOST:PORT; without, one of the run's own.",
    ),
]

Photos = Annotated[
    list[str],
    Argument(
        metavar="PHOTO|FOLDER|FILM|GLOB|URL|- ...",
        help="URLs such as s3://bucket/scans/, too; `-` reads one photo from a pipe.",
    ),
]
Out = Annotated[
    str | None,
    Option("-o", "--out", help="A folder, a file for one photo, a URL, or - for a pipe."),
]
Saturation = Annotated[float, Option(min=0, help="0 is gray, 1 as predicted.")]
Temperature = Annotated[
    float, Option(min=-30, max=30, help="Shift of b*: above 0 warmer, below 0 cooler.")
]
Hints = Annotated[
    list[str] | None,
    Option(
        metavar="X,Y,#RRGGBB[@S]",
        help="The color at a pixel of one photo, or of one film at S seconds; repeat it.",
    ),
]
Take = Annotated[
    int | None,
    Option(min=0, help="Sample a variant by this seed: other colors where it is unsure."),
]
Like = Annotated[
    str | None,
    Option(
        metavar="PHOTO",
        help="A photo in color of the same place, people or roll: its colors are taken where both "
        "look alike. Any other one may mislead.",
    ),
]
Seed = Annotated[int | None, Option(min=0, help="Draw a variant, of a net with dropout or noise.")]
Overwrite = Annotated[bool, Option("--overwrite", help="Redo what is there.")]
Shard = Annotated[
    str | None,
    Option(
        metavar="I/N",
        help="Only the I-th of N parts; auto, or auto/N: the one of this task of a job array.",
    ),
]
AsJson = Annotated[bool, Option("--json", help="One JSON record a photo on stdout.")]
EveryFile = Annotated[bool, Option("--all", help="In folders, also files without extension.")]
Follow = Annotated[bool, Option("--follow", help="Follow links out of a folder.")]
KeepGps = Annotated[bool, Option("--keep-gps", help="Keep the place where it was taken, too.")]
KeepMetadata = Annotated[bool, Option("--keep-metadata", hidden=True)]
"""The former name of --keep-gps."""
Sidecars = Annotated[bool, Option("--sidecars", help="Copy XMP sidecars beside the output, too.")]
AllowTruncated = Annotated[
    bool, Option("--allow-truncated", help="Take what is there of a cut file.")
]
MaxPixels = Annotated[int, Option(min=1, help="Refuse larger photos.")]
SkipColor = Annotated[bool, Option("--skip-color", help="Leave photos alone that are in color.")]
Depth = Annotated[
    Literal["8", "16"],
    Option(metavar="8|16", help="16 keeps 16-bit TIFF and PNG so; 8 makes 8 bits of them."),
]
Layer = Annotated[
    bool, Option("--layer", help="Only the color, as a layer for the blend mode Color.")
]
Mark = Annotated[bool, Option("--mark", help='Put "color simulated" into a corner.')]
C2pa = Annotated[
    tuple[str, str] | None,
    Option("--c2pa", metavar="CERT KEY", help="Sign with these PEM files (content credentials)."),
]
Pages = Annotated[
    Literal["first", "all"], Option(help="Of a TIFF: its first page, or all into one TIFF.")
]
Watch = Annotated[bool, Option("--watch", help="Keep running and take what appears.")]
