"""Picture: how a film's frames lie in memory, what their numbers mean, and how the colored lie.

The luma of a frame is copied as it is; only what the encoder cannot take (16 bits, RGB) is
converted before.
"""

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream

from pix2pix.errors import UnsupportedMode

# Kr, Kb by AVColorSpace. Source: ITU-T H.273, table 4
_MATRICES = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
}
_UNSAID = {0, 2, 3}
_BT709, _BT601_625, _BT601_525 = 1, 5, 6
_LIMITED, _FULL = 1, 2
_HD = 720  # lines from which on BT.709 is meant where nothing is said
_FULL_RANGE_GRAY = {"mjpeg", "ffv1", "rawvideo", "png", "huffyuv", "ffvhuff", "utvideo", "jpeg2000"}
_SIDES = {(1, 1): "444", (2, 1): "422", (2, 2): "420"}
_TRANSFERS = {4: 4, 5: 6, 6: 6, 7: 7}  # that goes with a matrix; primaries have its own number
_BOTTOM_FIRST = {3, 4}  # AVFieldOrder
_HDR = {16: "PQ", 18: "HLG"}  # AVColorTransferCharacteristic


@dataclass(frozen=True)
class Picture:
    """The frames of one film."""

    width: int
    height: int
    read_as: str
    """The pixel format whose first plane is the luma: the frames' own, or what they become."""
    read_bits: int
    bits: int
    """Of the colored film: 8, 10 or 12."""
    ratio: tuple[int, int]
    """Columns and rows of luma for one of chroma."""
    matrix: int
    full: bool
    """Whether luma takes all its levels, or 16 to 235 of 256."""
    primaries: int
    transfer: int
    interlaced: bool
    bottom_first: bool
    """Of interlaced film: whether the lower of its two fields is shown first."""
    centered: bool
    """Whether a column of chroma lies between two of luma, as in JPEG and MPEG-1, not on one."""

    @property
    def format(self) -> str:
        """The pixel format of the colored film."""
        return f"yuv{_SIDES[self.ratio]}p" + ("" if self.bits == 8 else f"{self.bits}le")

    @property
    def weights(self) -> tuple[float, float]:
        """Kr and Kb: the shares of red and blue in the luma."""
        return _MATRICES[self.matrix]

    @property
    def range(self) -> int:
        """AVColorRange of the film."""
        return _FULL if self.full else _LIMITED

    @property
    def chroma_size(self) -> tuple[int, int]:
        """Rows and columns of a plane of chroma."""
        across, down = self.ratio
        return -(-self.height // down), -(-self.width // across)

    def remarks(self) -> list[str]:
        """What a user should know of this kind of film."""
        said = []
        if self.interlaced:
            said.append("interlaced: its lines are kept as they are, and are not separated")
        if self.transfer in _HDR:
            said.append(f"HDR ({_HDR[self.transfer]}): colors are worked out as for SDR")
        if self.bits < self.read_bits:
            said.append(f"{self.read_bits} bits are written as {self.bits}: luma is rounded")
        if "yuva" in self.read_as:
            said.append("its transparency is left out")
        return said


def describe(frame: av.VideoFrame, stream: VideoStream) -> Picture:
    """How frames such as the first one lie and are to be understood.

    What the film does not say is taken as players take it: BT.709 from 720 lines on, else BT.601,
    limited range unless the codec has another. Raises UnsupportedMode for a color matrix that is
    not known here.
    """
    layout, codec = frame.format, stream.codec_context.name
    own_bits = max(component.bits for component in layout.components)
    bits = 8 if own_bits <= 8 else 10 if own_bits <= 10 else 12
    of_luma = not (layout.is_rgb or layout.has_palette or layout.name.startswith("xyz"))
    across, down = (
        1000 // max(layout.chroma_width(1000), 1),
        1000 // max(layout.chroma_height(1000), 1),
    )
    gray = layout.name.startswith("gray")
    ratio = (across, down) if (across, down) in _SIDES and of_luma and not gray else (2, 2)
    as_it_is = _has_plane(layout)
    read_as = layout.name
    if not as_it_is:  # packed, big-endian or RGB
        kind = _SIDES[ratio if of_luma else (1, 1)]
        read_as = f"yuv{kind}p" + ("" if bits == 8 else f"{bits}le")
    matrix = frame.colorspace if of_luma and frame.colorspace not in _UNSAID else _unsaid(frame)
    if matrix not in _MATRICES:
        raise UnsupportedMode(f"its color matrix (number {matrix} of H.273) is not known here")
    gray_full = gray and codec in _FULL_RANGE_GRAY and frame.color_range != _LIMITED
    full = of_luma and (frame.color_range == _FULL or layout.name.startswith("yuvj") or gray_full)
    return Picture(
        frame.width,
        frame.height,
        read_as,
        own_bits if as_it_is else bits,
        bits,
        ratio,
        matrix,
        full,
        frame.color_primaries if frame.color_primaries not in _UNSAID else matrix,
        frame.color_trc if frame.color_trc not in _UNSAID else _TRANSFERS.get(matrix, 1),
        frame.interlaced_frame,
        frame.interlaced_frame and stream.codec_context.field_order in _BOTTOM_FIRST,
        codec in ("mjpeg", "mpeg1video"),
    )


def luma(frame: av.VideoFrame, picture: Picture) -> np.ndarray:
    """The luma (H, W) of a frame, uint8 or uint16, in `picture.bits`.

    A view of the frame where that has it so. A frame of another size or format than the first is
    scaled and converted to it.
    """
    shape = frame.width, frame.height, frame.format.name
    if shape != (picture.width, picture.height, picture.read_as):
        frame = frame.reformat(
            picture.width,
            picture.height,
            picture.read_as,
            dst_colorspace=_swscale(picture.matrix) if frame.format.is_rgb else None,
            dst_color_range=picture.range if frame.format.is_rgb else None,
        )
    plane = plane_view(frame, 0, picture.read_bits, (picture.height, picture.width))
    if picture.read_bits < picture.bits:
        return plane << (picture.bits - picture.read_bits)
    if picture.read_bits > picture.bits:
        return plane >> (picture.read_bits - picture.bits)
    return plane


def plane_view(frame: av.VideoFrame, number: int, bits: int, shape: tuple[int, int]) -> np.ndarray:
    """A plane of a frame as an array (H, W), without its padding; writable where the frame is."""
    plane = frame.planes[number]
    dtype = np.dtype(np.uint8 if bits == 8 else "<u2")
    data: Any = plane  # a buffer, which PyAV's types do not say
    lines = np.frombuffer(data, np.uint8).reshape(-1, plane.line_size)
    return lines.view(dtype)[: shape[0], : shape[1]]


def to_gray(picture: Picture) -> np.ndarray:
    """A table: luma -> the 8-bit gray (uint8) that a screen shows for it without color."""
    levels = np.arange(2**picture.bits)
    if picture.full:
        grays = levels * (255 / levels[-1])
    else:
        grays = (levels / 2 ** (picture.bits - 8) - 16) / 219 * 255
    return np.rint(grays.clip(0, 255)).astype(np.uint8)


def _has_plane(layout: av.VideoFormat) -> bool:
    """Whether the first plane of a pixel format is its luma, and nothing else."""
    name = layout.name
    gray = name.startswith("gray") and "f" not in name
    return (name.startswith(("yuv4", "yuvj4", "yuva4")) or gray) and not layout.is_big_endian


def _unsaid(frame: av.VideoFrame) -> int:
    if frame.height >= _HD:
        return _BT709
    return _BT601_625 if frame.height in (576, 288) else _BT601_525


def _swscale(matrix: int) -> int:
    """SWS_CS of a matrix."""
    return matrix if matrix in (1, 4, 5, 7, 9) else 5
