"""What people judge by: the blind page, answered in a browser, and the sheet."""

import base64
import io
import json
import re

import numpy as np
import pytest
import scipy.stats
import skimage.data
from paint import Paint, crops
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from skimage.color import lab2rgb, rgb2lab

from pix2pix.errors import DataError
from pix2pix.report.blind import build_blind_test
from pix2pix.report.sheet import build_sheet

pytest_plugins = ["running_page"]
COUNT = 6


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Six in color, one with a name of HTML; one gray, one broken."""
    folder = crops(tmp_path_factory.mktemp("photos") / "in", COUNT)
    for name, top, left in (("a4.png", 250, 200), ("a5.png", 200, 100)):  # of more than one color
        crop = skimage.data.astronaut()[top : top + 64, left : left + 64]
        Image.fromarray(crop).save(folder / name)
    (folder / "a0.png").rename(folder / "a<script>.png")
    Image.fromarray(skimage.data.camera()[:64, :64]).save(folder / "gray.png")
    (folder / "broken.png").write_bytes(b"")
    return folder


def pairs(document):
    (text,) = re.findall(r'id="pairs">(.*?)</script>', document, re.DOTALL)
    assert "<" not in text  # a name of HTML ends no script
    return json.loads(text)


def picture(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


# ---- the blind page


def test_each_pair_is_a_photo_and_ours_on_the_side_it_says(photos):
    skipped = []
    found = pairs(build_blind_test(photos, Paint(0.3), skipped))
    assert sorted(one["path"] for one in found) == sorted(p.name for p in photos.glob("a*.png"))
    assert {one["code"] for one in skipped} == {"gray", "unreadable"}
    for one in found:
        real = np.asarray(Image.open(photos / one["path"]))
        other = "right" if one["real"] == "left" else "left"
        assert np.abs(picture(one[one["real"]]).astype(int) - real).mean() < 6
        ours = Paint(0.3).rgb(real)
        assert np.abs(picture(one[other]).astype(int) - ours).mean() < 6


def test_order_and_sides_are_drawn_by_the_seed(photos):
    def drawn(seed):
        found = pairs(build_blind_test(photos, Paint(0.3), [], seed=seed))
        return [(one["path"], one["real"]) for one in found]

    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(5)}) == 5
    sides = [side for seed in range(5) for _, side in drawn(seed)]
    assert 5 < sides.count("left") < 25


def test_some_photos_are_drawn_by_the_seed(photos):
    def drawn(seed):
        skipped = []
        found = pairs(build_blind_test(photos, Paint(0.3), skipped, seed=seed, count=3))
        assert len(found) == 3
        return frozenset(one["path"] for one in found)

    assert drawn(1) == drawn(1)
    assert len({drawn(seed) for seed in range(5)}) > 1
    assert len(pairs(build_blind_test(photos, Paint(0.3), [], count=99))) == COUNT


def alone(document):
    (text,) = re.findall(r'id="photos">(.*?)</script>', document, re.DOTALL)
    assert "<" not in text
    return json.loads(text)


def test_one_picture_at_a_time_is_the_photo_or_ours(photos):
    kinds = []
    for seed in range(5):
        for one in alone(build_blind_test(photos, Paint(0.3), [], seed=seed, alone=True)):
            real = np.asarray(Image.open(photos / one["path"]))
            expected = real if one["is"] == "real" else Paint(0.3).rgb(real)
            other = Paint(0.3).rgb(real) if one["is"] == "real" else real
            shown = picture(one["picture"]).astype(int)
            assert np.abs(shown - expected).mean() < min(6, np.abs(shown - other).mean())
            kinds.append(one["is"])
    assert len(kinds) == 5 * COUNT and 5 < kinds.count("real") < 25


@pytest.mark.slow
def test_large_photos_are_shrunk(tmp_path):
    Image.fromarray(skimage.data.astronaut()).resize((900, 1200)).save(tmp_path / "a.png")
    (one,) = pairs(build_blind_test(tmp_path, Paint(1), []))
    assert picture(one["left"]).shape == picture(one["right"]).shape == (560, 420, 3)


def test_toned_photos_are_left_out_and_pale_ones_are_not(tmp_path):
    gray = np.asarray(Image.fromarray(skimage.data.camera()).resize((64, 64)))[..., None]
    lab = rgb2lab(np.repeat(gray, 3, 2))
    lab[..., 1:] = 4, 16
    toned = (lab2rgb(lab) * 255).round().astype(np.uint8)
    Image.fromarray(toned).save(tmp_path / "toned.png")
    pale = Paint(0.5).rgb(skimage.data.astronaut()[:64, 200:264])
    Image.fromarray(pale).save(tmp_path / "pale.png")
    skipped = []
    assert [one["path"] for one in pairs(build_blind_test(tmp_path, Paint(1), skipped))] == [
        "pale.png"
    ]
    assert [(one["path"], one["code"]) for one in skipped] == [
        (str(tmp_path / "toned.png"), "gray")
    ]


def test_names_of_photos_and_models_are_text(tmp_path):
    crops(tmp_path, 1)
    (tmp_path / "a0.png").rename(tmp_path / "a\x1b[1m.png")
    document = build_blind_test(tmp_path, Paint(1, "<b>bold</b>"), [])
    assert "&lt;b&gt;bold&lt;/b&gt; colored it" in document
    assert "\x1b" not in pairs(document)[0]["path"]


def test_a_folder_without_color_is_refused(photos, tmp_path):
    Image.open(photos / "gray.png").save(tmp_path / "gray.png")
    with pytest.raises(DataError, match="no color photo"):
        build_blind_test(tmp_path, Paint(1), [])


def test_a_folder_without_photos_has_no_sheet(tmp_path):
    with pytest.raises(DataError, match="No photo"):
        build_sheet(str(tmp_path), {"a": Paint(1)}, [])


@pytest.fixture
def tab(request, photos, browser: Browser, tmp_path):
    """The page opened as a file; whatever it asks for beside itself fails the test."""
    options = getattr(request, "param", {})
    (tmp_path / "blind.html").write_text(build_blind_test(photos, Paint(0.3), [], **options))
    tab = browser.new_page(viewport={"width": 390, "height": 800})
    asked, said = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    address = (tmp_path / "blind.html").as_uri()
    tab.goto(address)
    yield tab
    tab.close()
    assert {url for url in asked if not url.startswith("data:")} == {address}
    assert said == []


def truths(tab: Page):
    return tab.evaluate("pairs.map(pair => pair.real)")


def wilson(hits):
    return scipy.stats.binomtest(hits, COUNT).proportion_ci(0.95, method="wilson")


@pytest.mark.browser
def test_answers_by_keyboard_are_counted(tab: Page):
    """Two wrong answers, then right ones; the interval is scipy's."""
    for i, real in enumerate(truths(tab)):
        expect(tab.locator("#count")).to_have_text(f"Pair {i + 1} of {COUNT}")
        shown = tab.locator("#left").evaluate("image => image.src")
        assert shown == tab.evaluate(f"pairs[{i}].left")
        left = (real == "left") == (i >= 2)
        tab.keyboard.press("ArrowLeft" if left else "ArrowRight")
    expect(tab.locator("#share")).to_have_text("33.3 %")
    low, high = wilson(2)
    text = tab.locator("#interval").inner_text()
    assert f"2 of {COUNT}" in text
    assert f"{100 * low:.1f} % to {100 * high:.1f} %" in text
    assert tab.evaluate("document.activeElement.id") == "results"
    rows = tab.locator("#list tr").all_inner_texts()
    assert [row.split("\t")[2] for row in rows] == ["fooled"] * 2 + ["right"] * 4
    assert {row.split("\t")[0] for row in rows} >= {"a<script>.png", "a3.png"}
    tab.keyboard.press("ArrowLeft")  # the test is over: nothing more is counted
    expect(tab.locator("#list tr")).to_have_count(COUNT)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.browser
def test_buttons_can_be_reached_and_pressed_without_a_mouse(tab: Page):
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "is-left"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "is-right"
    tab.keyboard.press("Space")
    expect(tab.locator("#count")).to_have_text(f"Pair 3 of {COUNT}")
    for _ in range(COUNT - 2):
        tab.get_by_role("button", name="Left is real").click()
    sides = ["left", "right"] + ["left"] * (COUNT - 2)
    fooled = sum(side != real for side, real in zip(sides, truths(tab), strict=True))
    expect(tab.locator("#share")).to_have_text(f"{100 * fooled / COUNT:.1f} %")
    tab.get_by_role("button", name="Once more").click()
    expect(tab.locator("#count")).to_have_text(f"Pair 1 of {COUNT}")


@pytest.mark.browser
@pytest.mark.parametrize("hits", [0, 1, COUNT])
def test_intervals_at_the_ends_are_those_of_scipy(tab: Page, hits):
    low, high = wilson(hits)
    assert tab.evaluate(f"wilson({hits}, {COUNT})") == pytest.approx([low, high], abs=1e-6)


@pytest.mark.browser
@pytest.mark.parametrize("tab", [{"alone": True, "seed": 3}], indirect=True)
def test_shares_taken_for_real_are_counted(tab: Page):
    """The first colored photo and the first real one are answered wrongly."""
    kinds = tab.evaluate("photos.map(photo => photo.is)")
    wrong = {kinds.index("colored"), kinds.index("real")}
    for i, kind in enumerate(kinds):
        expect(tab.locator("#count")).to_have_text(f"Photo {i + 1} of {COUNT}")
        assert tab.locator("#picture").evaluate("image => image.src") == tab.evaluate(
            f"photos[{i}].picture"
        )
        real = (kind == "real") == (i not in wrong)
        if i % 2:
            tab.keyboard.press("ArrowLeft" if real else "ArrowRight")
        else:
            tab.get_by_role("button", name="Real" if real else "Colored").click()
    colored = kinds.count("colored")
    expect(tab.locator("#share")).to_have_text(f"{100 / colored:.1f} %")
    low, high = scipy.stats.binomtest(1, colored).proportion_ci(0.95, method="wilson")
    said = tab.locator("#ours").inner_text()
    assert said.startswith(f"1 of {colored} colored photos were taken for real")
    assert f"{100 * low:.1f} % to {100 * high:.1f} %" in said
    real = COUNT - colored
    assert tab.locator("#real").inner_text().startswith(f"{real - 1} of {real} real photos")
    rows = [row.split("\t") for row in tab.locator("#list tr").all_inner_texts()]
    assert [row[1] != row[2] for row in rows] == [i in wrong for i in range(COUNT)]
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


# ---- the sheet


@pytest.mark.slow
def test_a_sheet_has_a_row_a_photo_and_a_column_a_model(photos):
    skipped = []
    data = build_sheet(photos, {"whole": Paint(1.0), "none": Paint(0.0)}, skipped)
    image = np.asarray(Image.open(io.BytesIO(data)))
    assert [one["code"] for one in skipped] == ["unreadable"]
    assert image.shape[1] == 10 + 3 * 450
    assert image.shape[0] == 10 + (COUNT + 1) * (330 + 26 + 10)
    row = image[10 + 366 : 10 + 366 + 330].astype(int)  # the second photo
    photo = Image.open(sorted(photos.glob("a*.png"))[1]).resize(
        (330, 330), Image.Resampling.LANCZOS
    )
    cells = [row[:, 10 + 450 * k : 10 + 450 * k + 330] for k in range(3)]
    assert np.abs(cells[1] - np.asarray(photo)).mean() < 2
    for gray in (cells[0], cells[2]):
        assert np.ptp(gray, axis=2).mean() < 1
        assert np.abs(gray.mean() - np.asarray(photo).mean()) < 12
    label = image[10 + 330 : 10 + 356, 10:200]
    assert (label < 80).any()


def test_photos_of_any_shape_fit_into_their_cells(tmp_path):
    for name, (height, width) in {"a": (110, 880), "b": (660, 220), "c": (2, 3000)}.items():
        Image.new("RGB", (width, height), (200, 30, 40)).save(tmp_path / f"{name}.png")
    image = np.asarray(Image.open(io.BytesIO(build_sheet(tmp_path, {"same": Paint(1.0)}, []))))
    red = image[:, 10 + 450 :].astype(int)
    red = red[..., 0] - red[..., 1] > 100
    tops = [10, 10 + 55 + 36, 10 + 55 + 36 + 330 + 36]
    for top, (height, width) in zip(tops, ((55, 440), (330, 110), (1, 440)), strict=True):
        assert red[top : top + height, :width].all()
        assert red[top : top + height + 36].sum() == height * width
