"""Skin: how boxes are read off the finder's maps, what counts as skin, and what the table says."""

import sys
from functools import partial
from types import ModuleType, SimpleNamespace

import measure_skin as skin
import numpy as np
import pytest
from PIL import Image

from pix2pix.color import lab_to_rgb8, rgb8_to_lab

LIGHT, DARK = (75.0, 12.0, 14.0), (35.0, 12.0, 16.0)  # L*, a*, b*: angles 61 and -43 degrees
BOX = (20.0, 16.0, 44.0, 48.0)


def portrait(color=LIGHT, *, ears=True) -> np.ndarray:
    """A face as a disk in BOX, with ears at its sides or not, on blue: L*a*b* (3, 64, 64)."""
    lab = np.empty((3, 64, 64), np.float32)
    lab[:] = np.array((40.0, 5.0, -30.0))[:, None, None]
    y, x = np.mgrid[:64, :64] + 0.5
    face = np.hypot((x - 32) / 12, (y - 32) / 16) <= 1
    lab[:, face] = np.array(color)[:, None]
    if ears:
        lab[:, 30:38, 16:20] = lab[:, 30:38, 44:48] = np.array(color)[:, None, None]
    return lab


def landmarks() -> np.ndarray:
    """An open hand's 21 points: wrist (32, 60), knuckles in a row at 36, fingers up, thumb left."""
    fingers = [[(x, y) for y in (36, 26, 20, 14)] for x in (22, 29, 36, 43)]
    thumb = [(22, 54), (15, 48), (11, 42), (8, 36)]
    return np.array([(32, 60), *thumb, *(at for finger in fingers for at in finger)], float)


def raised_hand(color=LIGHT) -> np.ndarray:
    """A hand of those landmarks on blue: L*a*b* (3, 64, 64)."""
    lab = np.empty((3, 64, 64), np.float32)
    lab[:] = np.array((40.0, 5.0, -30.0))[:, None, None]
    lab[:, skin.hand_shape(landmarks(), 64, 64)] = np.array(color)[:, None]
    return lab


def test_boxes_are_read_off_the_maps_and_the_surest_of_two_is_kept():
    heat = np.zeros((16, 16))
    size, offset = np.zeros((2, 16, 16)), np.zeros((2, 16, 16))
    heat[5, 6], heat[5, 7], heat[12, 2] = 0.9, 0.8, 0.7
    size[:, 5, 6:8] = np.log([[5.0], [3.0]])  # 20 px high and 12 px wide
    size[:, 12, 2] = np.log([1.0, 2.0])
    offset[:, 5, 6] = 0.25, -0.5
    found = skin.decode(heat, size, offset, 0.6)
    np.testing.assert_allclose(found, [(18, 13, 30, 33), (6, 48, 14, 52)])
    assert len(skin.decode(heat, size, offset, 0.85)) == 1


def test_overlap_is_intersection_over_union():
    assert skin.overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert skin.overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0


def test_skin_is_in_the_ellipse_and_ears_are_beside_it():
    face, beside = skin.skin_of(portrait(), BOX)
    assert face[32, 32] and not face[32, 21] and not face[:16].any()
    assert beside[34, 17] and beside[34, 46] and not beside[34, 14]
    assert not (face & beside).any()
    assert not skin.skin_of(portrait(ears=False), BOX)[1][:, :20].any()


@pytest.mark.parametrize(
    "other", [(75.0, -12.0, 14.0), (75.0, 2.0, 3.0), (75.0, 40.0, 50.0), (5.0, 12.0, 14.0)]
)
def test_green_gray_garish_and_black_are_no_skin(other):
    face, beside = skin.skin_of(portrait(other), BOX)
    assert not face.any() and not beside.any()


def test_what_differs_from_the_face_is_no_ear():
    lab = portrait()
    lab[:, 30:38, 44:48] = np.array((75.0, 30.0, 20.0))[:, None, None]  # a red scarf
    _, beside = skin.skin_of(lab, BOX)
    assert beside[34, 17] and not beside[34, 46]


def test_a_hand_is_its_palm_and_fingers():
    shape = skin.hand_shape(landmarks(), 64, 64)
    assert shape[48, 30]  # palm
    assert all(shape[y, x] for x in (22, 29, 36, 43) for y in (32, 23, 16))
    assert shape[45, 13]  # thumb
    assert not any(shape[23, x] for x in (18, 26, 33, 40, 47))  # between fingers
    assert not shape[:11].any() and not shape[62:].any() and not shape[40, 50:].any()
    assert 2 <= shape[23].sum() / 4 <= 5


def test_a_hand_at_the_edge_is_what_is_in_the_photo():
    shape = skin.hand_shape(landmarks() + (40, 0), 64, 64)
    assert shape.shape == (64, 64) and shape[34, 62] and not shape[:, :40].any()


def test_skin_of_a_hand_is_where_its_color_is():
    lab = raised_hand()
    lab[:, 20:26, 20:26] = np.array((70.0, 2.0, 3.0))[:, None, None]  # a ring of silver
    hand = skin.hand_skin(lab, landmarks())
    assert hand[48, 30] and hand[23, 29] and not hand[23, 22]
    assert not (hand & ~skin.hand_shape(landmarks(), 64, 64)).any()


@pytest.mark.parametrize("glove", [(90.0, 0.0, 2.0), (40.0, 5.0, -30.0), (10.0, 4.0, 5.0)])
def test_gloves_are_no_hands(glove):
    assert not skin.hand_skin(raised_hand(glove), landmarks()).any()


def test_a_hand_mostly_of_another_color_is_none():
    lab = raised_hand()
    lab[:, 30:] = np.array((40.0, 5.0, -30.0))[:, None, None]  # fingers alone
    assert not skin.hand_skin(lab, landmarks()).any()
    assert (skin.is_skin(lab) & skin.hand_shape(landmarks(), 64, 64)).sum() >= skin.LEAST_SKIN


def test_small_hands_are_left_out():
    lab = raised_hand()
    finder = {1.0: lambda rgb: [landmarks()], 0.5: lambda rgb: [landmarks() / 2]}
    found = {by: skin.hands_of(None, lab, finder=f) for by, f in finder.items()}
    assert len(found[1.0]) == 1 and not found[0.5]


def test_hands_are_measured_as_faces_are(tmp_path):
    for i, color in enumerate([LIGHT, DARK, (90.0, 0.0, 2.0)]):
        Image.fromarray(lab_to_rgb8(raised_hand(color))).save(tmp_path / f"{i}.png")
    hands_of = partial(skin.hands_of, finder=lambda rgb: [landmarks()])
    found = [hand for (hand,) in skin.find(tmp_path, hands_of, Half(), 0)]
    assert [hand.group for hand in found] == ["light", "dark"]
    chromas = np.array([hand.chroma for hand in found])
    expected = [np.hypot(*color[1:]) for color in (LIGHT, DARK)]
    np.testing.assert_allclose(chromas[:, 0], expected, atol=0.5)
    np.testing.assert_allclose(chromas[:, 1] / chromas[:, 0], [0.5, 0], atol=0.03)


@pytest.mark.parametrize("hands", [0, 2])
def test_landmarks_are_pixels_of_the_photo(monkeypatch, hands):
    """MediaPipe gives x and y as shares of width and height, and None where there is no hand."""
    hand = SimpleNamespace(landmark=[SimpleNamespace(x=0.25, y=0.5, z=0.1)] * 21)
    found = SimpleNamespace(multi_hand_landmarks=[hand] * hands or None)
    module = ModuleType("hands")
    module.Hands = lambda **options: SimpleNamespace(process=lambda rgb: found)
    for name in ("mediapipe", "mediapipe.python", "mediapipe.python.solutions"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "mediapipe.python.solutions.hands", module)
    points = skin.HandFinder()(np.zeros((100, 200, 3), np.uint8))
    assert len(points) == hands
    for at in points:
        np.testing.assert_allclose(at, [(50, 50)] * 21)


def test_without_mediapipe_it_is_said_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mediapipe.python.solutions.hands", None)
    monkeypatch.setattr(sys, "argv", ["measure_skin.py", str(tmp_path), "--hands"])
    with pytest.raises(SystemExit, match="2"):
        skin.main()
    assert "pip install mediapipe==" in capsys.readouterr().err


def test_something_must_be_looked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["measure_skin.py", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        skin.main()
    assert "--faces" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("L", "b", "group"), [(62, 12.0, "light"), (55, 12.0, "middle"), (50, 12.0, "dark")]
)
def test_groups_are_by_the_typology_angle(L, b, group):  # 45, 23 and 0 degrees
    assert skin.group_of(np.array([[L], [10.0], [b]])) == group


class Half:
    """Half the chroma, and no color at all where the photo is dark."""

    def rgb(self, rgb):
        lab = rgb8_to_lab(rgb)
        lab[1:] *= 0.5 * (lab[:1] > 50)
        return lab_to_rgb8(lab)


def test_the_table_is_that_of_known_faces(tmp_path):
    for i, color in enumerate([LIGHT, LIGHT, DARK, DARK]):
        Image.fromarray(lab_to_rgb8(portrait(color))).save(tmp_path / f"{i}.png")
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "none.png")
    faces_of = partial(skin.faces_of, finder=lambda rgb: [BOX, (0.0, 0.0, 9.0, 9.0)])
    found = list(skin.find(tmp_path, faces_of, Half(), 0))
    faces = [face for face, _ in found]
    assert [face.group for face in faces] == ["light", "light", "dark", "dark"]
    assert all(beside is not None for _, beside in found)
    rows = {line.split("|")[1].strip(): line.split("|")[2:] for line in skin.table(faces)[2:]}
    assert rows.keys() == {"all", "light", "dark"}
    light, dark = ([cell.strip() for cell in rows[name]] for name in ("light", "dark"))
    chroma = np.hypot(*LIGHT[1:])
    assert light[0] == "2"
    assert [*map(float, light[1:3])] == pytest.approx([np.rad2deg(np.arctan2(14, 12))] * 2, abs=2)
    assert light[5] == "50%" and dark[5] == "0%"
    assert float(light[6].split()[0]) == pytest.approx(chroma / 2, abs=0.2)
    assert float(light[7]) == pytest.approx(chroma, abs=0.2)  # of gray
    assert float(light[8]) == pytest.approx(np.hypot(12 + 2.4, 14 - 11), abs=0.2)  # of sepia
    ratio = np.hypot(*DARK[1:]) / (chroma / 2)
    plain, of_gray = (float(line.split()[-4]) for line in skin.dark_to_light(faces))
    assert plain == pytest.approx(ratio, rel=0.05)
    assert of_gray == pytest.approx(2, rel=0.05)
    assert "too few" in skin.dark_to_light(faces[:3])[0]


def test_photos_of_training_are_left_out(tmp_path):
    for i in range(30):
        Image.fromarray(lab_to_rgb8(portrait())).save(tmp_path / f"{i}.png")
    faces_of = partial(skin.faces_of, finder=lambda rgb: [BOX])
    kept = len(list(skin.find(tmp_path, faces_of, Half(), 0.3)))
    expected = sum(skin.in_validation(f"{i}.png", 0.3) for i in range(30))
    assert 0 < kept == expected < 30


def test_intervals_hold_the_mean():
    values = np.random.default_rng(0).normal(5, 1, 400)
    low, high = skin.interval(values)
    assert low < values.mean() < high and high - low == pytest.approx(4 * 1 / 20, rel=0.2)
