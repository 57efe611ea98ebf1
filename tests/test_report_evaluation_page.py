"""The page of `evaluate`: what is on it, what it picks, and that it asks nothing of anyone."""

import re

import numpy as np
import pytest
from paint import Paint, crops
from playwright.sync_api import Browser
from squeeze import save_features, save_heads

from pix2pix.evaluate import evaluate
from pix2pix.evaluate.curves import FilmCurve, HintCurve
from pix2pix.evaluate.feature_metrics import SqueezeNetMetrics
from pix2pix.report import evaluation_page as page

pytest_plugins = ["running_page"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = crops(tmp_path_factory.mktemp("photos") / "in", 7)
    (folder / "a0.png").rename(folder / "<b>&.png")
    (folder / "broken.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def found(photos):
    model = Paint(0.5)
    curves = [FilmCurve(model), HintCurve(model, [1])]
    return evaluate(photos, model, size=64, curves=curves)


@pytest.fixture(scope="module")
def document(found):
    return page.build_evaluation_page(found, [Paint(0.5)])


def test_best_median_and_worst_are_those_of_the_photos(found):
    criteria = {"psnr": max, "ssim": max, "delta_e2000": min, "colorfulness_error": min}
    for figure, best in criteria.items():
        values = [photo["rows"]["model"][figure] for photo in found["photos"]]
        picked = {place: values[i] for place, i in page.pick_photos(found, figure).items()}
        worst = min if best is max else max
        assert picked == {"best": best(values), "median": np.median(values), "worst": worst(values)}


def test_it_holds_the_figures_and_names_as_text(found, document):
    assert f"{found['rows']['model']['psnr']:.2f}" in document
    assert "&lt;b&gt;&amp;.png" in document and "<b>&.png" not in document
    assert "photos of yours" in document
    assert "broken.png: unreadable" in document
    assert "orthochromatic" in document and "ΔE at hints" in document
    assert len(re.findall(r'<img src="data:image/jpeg;base64,', document)) == 4 * 3 * 3


def test_distances_of_nets_have_their_best_and_worst_too(photos, tmp_path):
    features = save_features(tmp_path / "squeeze.safetensors")
    nets = SqueezeNetMetrics(features, save_heads(tmp_path / "heads.safetensors"))
    result = evaluate(photos, Paint(0.5), size=64, feature_metrics=[nets])
    values = [photo["rows"]["model"]["lpips_like"] for photo in result["photos"]]
    assert values[page.pick_photos(result, "lpips_like")["best"]] == min(values)
    headings = re.findall("<h2>(.*?)</h2>", page.build_evaluation_page(result, [Paint(0.5)]))
    assert headings[1:6] == [
        "PSNR",
        "SSIM",
        "CIEDE2000",
        "LPIPS-like distance",
        "Difference in colorfulness",
    ]


def test_scatter_has_a_dot_a_photo_in_the_colors_of_the_page(found):
    svg = page.scatter(found)
    assert svg.startswith("<svg ") and svg.rstrip().endswith("</svg>")
    assert len(re.findall(r"<use [^>]*style=\"fill: var\(--accent\)", svg)) == 7
    assert "currentColor" in svg
    assert "#010203" not in svg and "#040506" not in svg and "<metadata" not in svg


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_asks_for_nothing_and_fits_any_window(document, browser: Browser, tmp_path, scheme):
    (tmp_path / "page.html").write_text(document)
    tab = browser.new_page(color_scheme=scheme)
    asked, said = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    address = (tmp_path / "page.html").as_uri()
    tab.goto(address)
    for width in (390, 1100):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    pictures = tab.locator("img").evaluate_all(
        "all => Promise.all(all.map(i => { i.loading = 'eager'; return i.decode()"
        ".then(() => i.naturalWidth); }))"
    )
    assert pictures == [64] * 36
    dots = "getComputedStyle(document.querySelector('svg use')).fill"
    assert tab.evaluate(dots) == {"light": "rgb(194, 65, 12)", "dark": "rgb(251, 146, 60)"}[scheme]
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [address]
    tab.close()
