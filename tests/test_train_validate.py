"""The watched photos: their scores for nets whose scores are known, and their grid."""

import numpy as np
import pytest
import torch
from tiny_runs import make_photos, open_photos

from pix2pix.batch import Batch
from pix2pix.color import net_to_rgb, rgb_to_net
from pix2pix.train.validate import Validation

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = make_photos(tmp_path_factory.mktemp("validate") / "photos", count=40)
    return Validation(open_photos(folder, size=16), count=35)


def truth(watched):
    """Paints each photo in its own colors."""
    L, _ = rgb_to_net(watched.crops.float() / 255)

    def paint(batch):
        places = [int((L - one).abs().amax((1, 2, 3)).argmin()) for one in batch.L]
        return watched.crops[places] / 255

    return paint


def gray(batch):
    return net_to_rgb(batch.L, torch.zeros_like(batch.ab))


def test_the_truth_scores_perfectly(watched):
    scores = watched.score(truth(watched), CPU)
    assert scores["val_psnr"] > 45 and scores["val_l1"] < 1e-6
    assert scores["val_colorfulness"] == pytest.approx(1, abs=0.01)


def test_gray_scores_as_gray(watched):
    scores = watched.score(gray, CPU)
    assert scores["val_psnr"] == pytest.approx(scores["val_psnr_gray"])
    assert scores["val_colorfulness"] < 0.02
    _, ab = rgb_to_net(watched.crops.float() / 255)
    assert scores["val_l1"] == pytest.approx(ab.abs().mean().item(), rel=1e-4)


def test_they_are_spread_over_the_photos_and_no_more_than_there_are(watched, tmp_path):
    photos = open_photos(make_photos(tmp_path / "photos", count=4), size=16)
    assert len(Validation(photos, count=9).crops) == 4
    first_and_last = Validation(photos, count=2).crops
    assert torch.equal(first_and_last[1], photos.center(3))


def test_the_grid_is_gray_colored_true(watched):
    grid = watched.grid(truth(watched), CPU, columns=5)
    assert grid.shape == (3 * 16, 5 * 16, 3) and grid.dtype == np.uint8
    gray, colored, true = grid[:16], grid[16:32], grid[32:]
    assert np.abs(np.diff(gray.astype(int), axis=-1)).max() <= 1
    assert np.abs(colored.astype(int) - true).max() <= 2
    spread = np.linspace(0, len(watched.crops) - 1, 5).astype(int)
    assert len(watched.crops) > 5
    for column, i in enumerate(spread):
        part = true[:, 16 * column : 16 * column + 16]
        assert np.array_equal(part, watched.crops[i].permute(1, 2, 0).numpy())


class Negatives:
    """A data set of pictures and their negatives, as RGB."""

    def __len__(self):
        return 9

    def center(self, i):
        return torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(i))

    def prepare(self, crops, positions):
        return Batch(2 * crops - 1, 1 - 2 * crops, positions)

    def truth(self, crops):
        return 1 - crops


def test_pictures_to_translate_have_their_own_scores_and_no_gray():
    watched = Validation(Negatives(), count=6)
    scores = watched.score(lambda batch: (1 - batch.source) / 2, CPU)
    assert scores.keys() == {"val_psnr", "val_l1"}
    assert scores["val_psnr"] > 90 and scores["val_l1"] < 1e-6
    scores = watched.score(lambda batch: (1 - batch.source) / 2 - 0.1, CPU)
    assert scores["val_psnr"] == pytest.approx(20, abs=1e-3)  # 10 log10(1 / 0.1^2)
    assert scores["val_l1"] == pytest.approx(0.2, abs=1e-5)  # in units of [-1, 1]


def test_the_grid_of_pictures_to_translate_is_input_answer_truth():
    watched = Validation(Negatives(), count=6)
    grid = watched.grid(lambda batch: torch.zeros_like(batch.source), CPU, columns=2)
    pictures = [255 * watched.crops[i].permute(1, 2, 0).numpy() for i in (0, 5)]
    given, answer, truth = grid.reshape(3, 16, 32, 3)
    assert np.abs(given - np.hstack(pictures)).max() <= 0.51 and not answer.any()
    assert np.abs(truth - (255 - np.hstack(pictures))).max() <= 0.51
