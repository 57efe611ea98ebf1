"""Tasks: what a model does to photos, in words, in names of files and in metadata."""

from dataclasses import dataclass, replace

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@dataclass(frozen=True)
class Task:
    """One of the tasks, `COLOR` or `TRANSLATE`, or what differs from COLOR in its output."""

    name: str  # as in the headers of weights; a verb: "nothing to color"
    does: str  # as a plural verb, with its object
    command: str  # of `pix2pix`
    done: str  # the status of a record
    mark: str  # of an output's name, before its extension
    source_type: str  # IPTC's DigitalSourceType of an output
    by: str  # in an output's AISystemUsed, before the model's name
    lossless: bool = False  # whether an output has to be PNG or TIFF


COLOR = Task(
    name="color",
    does="color photos",
    command="colorize",
    done="colored",
    mark=".color",
    source_type=_SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia",  # lightness is the photo's
    by="Pix2PixColor ",
)
TRANSLATE = Task(
    name="translate",
    does="translate pictures",
    command="translate",
    done="translated",
    mark=".translated",
    source_type=_SOURCE_TYPES + "trainedAlgorithmicMedia",  # every pixel is the net's
    by="Pix2PixColor, translated by ",
)
SIGNED = replace(COLOR, by='Pix2PixColor, signed "color simulated", ')
"""COLOR, with a sign in a corner."""
LAYER = replace(
    COLOR,
    mark=".color-layer",
    source_type=TRANSLATE.source_type,  # no pixel is the photo's
    by="Pix2PixColor, color layer by ",
    lossless=True,
)
"""COLOR, of which the color alone is written."""
TASKS = {task.name: task for task in (COLOR, TRANSLATE)}
