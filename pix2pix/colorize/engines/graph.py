"""Graph: an exported net with what its file says of it.

Of the file, in Protocol Buffers, only the metadata are read here; nets are the engines' affair.
Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, ModelProto.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pix2pix.colorize.engines.chance import Chance, from_json
from pix2pix.errors import WeightsError, one_line
from pix2pix.weights.header import MOST_PIXELS, Header, parse_header

ASIDES = ("features", "polarity")
"""The outputs that are computed only where they are asked for; files of earlier versions lack them.
"""
_METADATA, _KEY, _VALUE = 14, 1, 2  # numbers of fields
_BYTES = 2  # type of a field: a length and as many bytes
_SIZES = {1: 8, 5: 4}  # of fields of fixed size, by their type


@dataclass(frozen=True)
class Graph:
    """An .onnx file of `export_onnx`, in memory: the file may be replaced while it is in use."""

    path: Path
    model: bytes
    header: Header  # of the weights
    multiple: int  # of which the sides of its input are
    chances: Sequence[Chance]  # its layers of dropout and noise, each of which is an input
    made_of: str  # SHA-256 of the .safetensors file


def check_outputs(graph: Graph, names: Iterable[str]) -> None:
    """Raise WeightsError unless a graph has the outputs that its header makes one expect."""
    wanted = {"answer"} | ({"ab", "logits"} if graph.header.generator.get("bins") else set())
    if missing := sorted(wanted - set(names)):
        raise WeightsError(f"its graph lacks the outputs {', '.join(missing)}", graph.path)


def run_error(error: Exception, path: Path) -> Exception:
    """What to raise for a library's error in running a graph: of memory, or of these weights."""
    reason = one_line(error)
    if "alloc" in reason:
        return MemoryError(reason)
    return WeightsError(f"its graph does not run: {reason}", path)


def read_graph(path: str | Path) -> Graph:
    """Read an .onnx file. Raises WeightsError when it is none of ours, or cannot be read."""
    try:
        model = Path(path).read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot be read: {one_line(error)}", path) from error
    said = metadata(model)
    if "pix2pix" not in said:
        reason = "not an ONNX file that `pix2pix export` wrote, or cut"
        raise WeightsError(reason, path)
    header = parse_header(said["pix2pix"], path)
    try:
        chances = from_json(said["chances"])
        multiple, made_of = int(said["multiple"]), said["weights_sha256"]
        if not 1 <= multiple <= MOST_PIXELS**0.5:
            raise ValueError(f"multiple={multiple}")
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise WeightsError(f"its metadata cannot be read: {one_line(error)}", path) from error
    return Graph(Path(path), model, header, multiple, chances, made_of)


def metadata(model: bytes) -> dict[str, str]:
    """Read the metadata of an ONNX model: keys and values; {} when these bytes are none."""
    try:
        fields = _fields(memoryview(model))
        entries = [dict(_fields(entry)) for key, entry in fields if key == _METADATA]
        return {str(entry[_KEY], "utf-8"): str(entry[_VALUE], "utf-8") for entry in entries}
    except (IndexError, KeyError, UnicodeDecodeError, ValueError):
        return {}


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message: their numbers, and what those made of bytes hold."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, position = _varint(message, position)
            continue
        if kind == _BYTES:
            size, position = _varint(message, position)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise ValueError(f"a field of type {kind}")
        if position + size > len(message):
            raise ValueError("the model ends early")
        if kind == _BYTES:
            yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the position after it."""
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
