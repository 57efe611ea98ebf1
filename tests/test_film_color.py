"""Colors of films: exact in their own matrix, steady where nothing moves, and following a hint."""

from dataclasses import replace

import numpy as np
import pytest
from clips import plane
from PIL import Image

from pix2pix.color import lab_to_rgb, rgb_to_lab
from pix2pix.errors import BadHint
from pix2pix.film import chroma
from pix2pix.film.hints import Follower, TimedHint, parse
from pix2pix.film.picture import Picture, to_gray
from pix2pix.film.scenes import Small, is_cut
from pix2pix.film.steady import Steady

SMALL = 80, 128  # of what a net sees (h, w)
PICTURE = Picture(64, 48, "yuv420p", 8, 8, (2, 2), 6, False, 6, 6, False, False, False)
WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}  # Kr, Kb: H.273


def decode(frame, picture):
    """The mean R'G'B' (3,) of an even frame, by H.273 alone."""
    red, blue = WEIGHTS[picture.matrix]
    levels = [plane(frame, i).mean() / 2 ** (picture.bits - 8) for i in range(3)]
    if picture.full:
        y = plane(frame).mean() / (2**picture.bits - 1)
        cb, cr = ((level - 128) / 255 for level in levels[1:])
    else:
        y, (cb, cr) = (levels[0] - 16) / 219, ((level - 128) / 224 for level in levels[1:])
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    return np.array([r, (y - red * r - blue * b) / (1 - red - blue), b], np.float32)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("bits", [8, 10])
def test_a_color_is_the_one_that_was_asked_for(matrix, full, bits):
    picture = replace(PICTURE, matrix=matrix, full=full, bits=bits)
    for lab in ((60, 40, 30), (40, -30, 20), (50, 20, -40), (85, -5, 20)):
        wanted = np.float32(lab).reshape(3, 1, 1)
        red, blue = WEIGHTS[matrix]
        y = float(np.array([red, 1 - red - blue, blue]) @ lab_to_rgb(wanted)[:, 0, 0])
        code = y * (2**bits - 1) if full else (16 + 219 * y) * 2 ** (bits - 8)
        luma = np.full((48, 64), round(code), np.uint8 if bits == 8 else np.uint16)
        ab = np.broadcast_to(wanted[1:], (2, 10, 12)).astype(np.float32)
        frame = chroma.colored(luma, ab, picture)
        assert np.array_equal(plane(frame), luma)
        found = rgb_to_lab(decode(frame, picture).clip(0, 1).reshape(3, 1, 1))
        assert np.abs(found - wanted).max() < 1.6, (lab, found.ravel())


def test_gray_is_exactly_gray_at_every_level():
    luma = np.arange(256, dtype=np.uint8)[None].repeat(48, 0)
    frame = chroma.colored(luma, np.zeros((2, 9, 9), np.float32), replace(PICTURE, width=256))
    assert (plane(frame, 1) == 128).all() and (plane(frame, 2) == 128).all()


def test_colors_that_no_screen_has_at_a_luma_stay_on_the_screen():
    """Black and white take no color, and R'G'B' is within [0, 1]."""
    for code in (16, 20, 128, 230, 235):
        luma = np.full((48, 64), code, np.uint8)
        for ab in ((90, 80), (-80, 80), (70, -100)):
            wanted = np.broadcast_to(np.float32(ab).reshape(2, 1, 1), (2, 9, 9))
            rgb = decode(chroma.colored(luma, wanted, PICTURE), PICTURE)
            assert -0.02 < rgb.min() and rgb.max() < 1.02
            if code in (16, 235):
                assert np.ptp(rgb) < 0.03


def test_chroma_lies_where_players_look_for_it():
    """On every other column of luma, the first included; in JPEG between two."""
    picture = replace(PICTURE, width=64, height=64)
    x = 8.0 * (np.arange(64) - 31.5)
    ab = np.stack([np.broadcast_to(x, (64, 64)), np.zeros((64, 64))]).astype(np.float32)
    luma = np.full((64, 64), 126, np.uint8)
    for centered, middle in ((False, 15.75), (True, 15.5)):  # where x is 0
        cr = plane(chroma.colored(luma, ab, replace(picture, centered=centered)), 2)[16] - 128.0
        assert abs(np.interp(0, cr[14:18], np.arange(14, 18)) - middle) < 0.1


def test_levels_of_gray_are_those_that_a_screen_shows():
    limited, full = to_gray(PICTURE), to_gray(replace(PICTURE, full=True))
    assert [limited[i] for i in (0, 16, 126, 235, 255)] == [0, 0, 128, 255, 255]
    assert np.array_equal(full, np.arange(256))
    assert to_gray(replace(PICTURE, bits=10))[[64, 504, 940]].tolist() == [0, 128, 255]


# Where nothing moves


def grainy(gray, rng):
    """A frame of old film: flicker of 6 %, grain of sigma 6."""
    seen = gray * (1 + 0.06 * rng.standard_normal()) + rng.normal(0, 6, gray.shape)
    return Small.of(np.rint(seen.clip(0, 255)).astype(np.uint8), SMALL)


def disc(center, radius=24, scale=3):
    """A disc at (row, column) of the small frame -> a mask of the frame."""
    rows, columns = np.mgrid[: SMALL[0] * scale, : SMALL[1] * scale] / scale
    return np.hypot(rows - center[0], columns - center[1]) < radius


def color_of(mask):
    """The true ab of a disc on a ground, as a net that errs nowhere sees them."""
    share = np.asarray(
        Image.fromarray(mask.astype(np.float32)).resize(SMALL[::-1], Image.Resampling.BILINEAR)
    )
    return np.stack([-10 + 50 * share, -20 + 30 * share])


def test_colors_stand_still_where_the_picture_does():
    """Through grain and flicker, a third of the change is allowed: it is less than a fifth."""
    rng = np.random.default_rng(0)
    mask = disc((40, 60))
    steady, raw, kept, before = Steady(), [], [], None
    for _ in range(12):
        small = grainy(np.where(mask, 170.0, 80.0), rng)
        ab = color_of(mask) + rng.normal(0, 1, (2, *SMALL))
        raw.append(ab)
        cut = before is not None and is_cut(before, small)
        assert not cut
        kept.append(steady.next(ab.astype(np.float32), small, cut=cut))
        before = small

    def change(seen):
        return np.mean([np.abs(b - a).mean() for a, b in zip(seen[4:], seen[5:], strict=False)])

    assert change(kept) < change(raw) / 5
    assert np.abs(kept[-1] - color_of(mask)).mean() < 0.5


@pytest.mark.parametrize("contrast", [90, 30])
@pytest.mark.parametrize("speed", [0.3, 1.0, 4.0])
def test_a_moving_edge_draws_no_color_behind_it(speed, contrast):
    rng = np.random.default_rng(1)
    steady = Steady()
    for number in range(12):
        mask = disc((40, 50 + speed * number))
        small = grainy(np.where(mask, 80.0 + contrast, 80.0), rng)
        truth = color_of(mask)
        seen = steady.next(
            (truth + rng.normal(0, 1, truth.shape)).astype(np.float32), small, cut=False
        )

    def edges(plane):
        row = plane[0, 38:43].mean(0)
        (inside,) = np.nonzero(row > 15)
        first, last = inside[[0, -1]]
        return (
            first - (row[first] - 15) / (row[first] - row[first - 1]),
            last + (row[last] - 15) / (row[last] - row[last + 1]),
        )

    assert np.abs(np.subtract(edges(seen), edges(truth))).max() < 0.6  # [px of the net]


def test_nothing_of_a_scene_is_left_after_a_cut():
    rng = np.random.default_rng(2)
    steady, first, second = Steady(), disc((40, 40)), disc((40, 90), 30)
    for _ in range(5):
        before = grainy(np.where(first, 170.0, 80.0), rng)
        steady.next(np.full((2, *SMALL), 30, np.float32), before, cut=False)
    small = grainy(np.where(second, 80.0, 170.0), rng)
    assert is_cut(before, small)
    seen = steady.next(np.full((2, *SMALL), -10, np.float32), small, cut=True)
    assert (seen == -10).all()


def test_black_and_fades_are_seen():
    rng = np.random.default_rng(3)
    scene = np.where(disc((40, 40)), 170.0, 80.0)
    black = Small.of(np.zeros((240, 384), np.uint8), SMALL)
    assert is_cut(black, grainy(scene, rng)) and not is_cut(black, black)
    dimmer = [Small.of((scene * share).astype(np.uint8), SMALL) for share in (1, 0.9, 0.8, 0.7)]
    assert not any(is_cut(a, b) for a, b in zip(dimmer, dimmer[1:], strict=False))


# Hints


def test_hints_are_parsed():
    assert parse("120,80.5,#aa3322@12.5") == TimedHint((120, 80.5, (170, 51, 34)), 12.5)
    assert parse("1,2,aa3322").seconds == 0
    for text in ("1,2,#aa3322@", "1,2,#aa3322@x", "1,2@3", "1,2,#aa3322@-1"):
        with pytest.raises(BadHint):
            parse(text)


def textured(center, rng):
    """A disc with a pattern, which its middle shares with nothing else."""
    rows, columns = np.mgrid[:240, :384] / 3 - np.reshape(center, (2, 1, 1))
    pattern = 150 + 40 * np.sin(rows / 2) * np.cos(columns / 3)
    ground = 80 + 20 * np.sin((columns + center[1]) / 7)
    return grainy(np.where(np.hypot(rows, columns) < 14, pattern, ground), rng)


@pytest.mark.slow
def test_a_hint_follows_what_it_is_on_and_ends_with_its_scene():
    rng = np.random.default_rng(4)
    follower = Follower([TimedHint((90.0, 120.0, (200, 40, 40)), 0.2)], (240, 384))
    for number in range(30):
        center = 40 + 10 * np.sin(number / 8), 30 + 2.0 * number
        found = follower.next(textured(center, rng), number / 10, cut=False)
        if number < 2:
            assert found == []
            start = center
        elif number == 2:
            offset = np.subtract(found[0][:2], np.multiply(center, 3)[::-1])
        else:
            ((x, y, color),) = found
            at = np.multiply(center, 3)[::-1] + offset
            assert np.hypot(*np.subtract((x, y), at)) < 9  # [px], of a film of 384x240
            assert color == (200, 40, 40)
    assert start[1] < 33 and follower.lost == []
    assert follower.next(textured((40, 90), rng), 3.0, cut=True) == []
    assert follower.next(textured((40, 90), rng), 3.1, cut=False) == []


def test_a_hint_that_is_out_of_sight_is_given_up_and_named():
    rng = np.random.default_rng(5)
    follower = Follower([parse("120,120,#c03020")], (240, 384))
    for number in range(3):
        assert follower.next(textured((40, 40), rng), number / 25, cut=False)
    for number in range(3, 8):
        hints = follower.next(textured((40, 100), rng), number / 25, cut=False)
    assert hints == []
    assert follower.lost == ["hint 120,120,#c03020@0: out of sight at 0.20 s"]


def test_a_hint_outside_of_the_picture_is_refused():
    with pytest.raises(BadHint, match="inside of 64x48"):
        Follower([parse("64,2,#c03020")], (48, 64))
