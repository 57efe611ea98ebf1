"""Written pages: what is drawn, that it is gray, and which crops it replaces."""

import sys

import numpy as np
import pytest
import torch

from pix2pix.data import Photos
from pix2pix.data.written import draw_page, typefaces


def pages(count, size=96):
    return np.stack([draw_page(np.random.default_rng(i), size) for i in range(count)])


@pytest.mark.slow
def test_pages_have_paper_and_ink_and_are_all_different():
    drawn = pages(60)
    assert drawn.shape == (60, 96, 96) and drawn.dtype == np.uint8
    contrast = np.percentile(drawn, 99, (1, 2)) - np.percentile(drawn, 1, (1, 2))
    assert (contrast > 40).mean() > 0.95
    assert len({one.tobytes() for one in drawn}) == 60
    ink = np.median(drawn, (1, 2)) - drawn.mean((1, 2))  # > 0: less ink than paper, and darker
    assert 0.7 < (ink > 0).mean() < 0.98  # the rest are white on black


def test_the_same_generator_draws_the_same_page():
    assert np.array_equal(pages(3), pages(3))


@pytest.mark.parametrize("size", [1, 8, 17, 300])
def test_pages_of_any_size(size):
    assert pages(3, size).shape == (3, size, size)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    from paint import crops

    folder = tmp_path_factory.mktemp("pages")
    crops(folder / "in", 6)

    def open_photos(kind=Photos, **settings):
        return kind(folder / "in", cache=folder / "cache", size=32, **settings)

    return open_photos


@pytest.mark.slow
def test_a_share_of_the_crops_are_pages_and_the_rest_are_as_they_were(photos):
    with_pages, without = photos(pages=0.25), photos()
    replaced = 0
    for position in range(200):
        crop, at = with_pages[position]
        assert at == position and crop.shape == (3, 32, 32) and crop.dtype == torch.uint8
        if not torch.equal(crop, without[position][0]):
            assert (crop[0] == crop[1]).all() and (crop[0] == crop[2]).all()
            replaced += 1
    assert 30 <= replaced <= 70
    assert sum(with_pages.name(i) == "a written page" for i in range(200)) == replaced
    assert all(torch.equal(with_pages[i][0], photos(pages=0.25)[i][0]) for i in range(20))
    assert not torch.equal(photos(pages=1.0)[0][0], photos(pages=1.0, seed=1)[0][0])


def test_pages_of_pairs_are_gray_twice(tmp_path):
    from paint import crops

    from pix2pix.data.pairs import Pairs

    crops(tmp_path / "in" / "gray")
    crops(tmp_path / "in" / "color")
    names = {"gray_folder": "gray", "color_folder": "color"}
    pairs = Pairs(tmp_path / "in", cache=tmp_path / "cache", size=32, pages=1.0, **names)
    crop, _ = pairs[0]
    assert crop.shape == (6, 32, 32) and (crop == crop[:1]).all()


def test_validation_sees_no_pages(photos):
    assert torch.equal(photos(pages=1.0).center(0), photos().center(0))


@pytest.mark.parametrize("settings", [{"pages": 1.1}, {"pages": -0.1}])
def test_a_share_out_of_range(photos, settings):
    with pytest.raises(ValueError, match=r"pages=.* in \[0, 1\]"):
        photos(**settings)


def test_pages_have_no_class(photos):
    with pytest.raises(ValueError, match="0 with labels"):
        photos(pages=0.1, labels="folders")


def test_pages_without_matplotlib_are_one_line(photos, monkeypatch):
    typefaces.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match="pip install .pix2pix-color.train"):
        photos(pages=0.1)
    typefaces.cache_clear()
