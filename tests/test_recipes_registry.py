"""Every recipe trains on every kind of data, every named data set with a tiny net."""

import csv
import os
import subprocess
from pathlib import Path

import pytest
import warm
import yaml
from PIL import Image
from places import DOCS
from test_train_config import TINY, composed
from tiny_runs import losses_of, make_photos

from pix2pix import nets, recipes, weights
from pix2pix.data.labels import tiny_imagenet
from pix2pix.download import SOURCES
from pix2pix.errors import DataError
from pix2pix.recipes import CONFIGS
from pix2pix.train.__main__ import fit_configured, main
from pix2pix.train.config import open_photos, parameters, plain

SETS = recipes.stems(CONFIGS.parent / "data")
DRAWN = ["marbles", "quilt"]
YOURS = ["photos", "pairs", "labelled", "aligned"]
DOWNLOADED = [name for name in SETS if name not in YOURS + DRAWN]
CLASSES = ("cats", "dogs", "owls")
SHORT = [
    "trainer={steps: 2, batch: 2, workers: 0, accelerator: cpu, precision: fp32, val_photos: 2}",
    "trainer.log_every=1",
    "logger.tensorboard=false",
    "data.val_fraction=0.3",
]


def make_pairs(folder, *, gray="gray", color="color"):
    make_photos(folder / color, count=12)
    (folder / gray).mkdir()
    for file in (folder / color).iterdir():
        with Image.open(file) as picture:
            picture.convert("L").save(folder / gray / file.name)


def make_classes(folder, names, *, count=4):
    """Photos in folders, no two alike in all of them."""
    made = make_photos(folder.with_name(f"{folder.name}.all"), count=count * len(names))
    for i, file in enumerate(sorted(made.iterdir())):
        place = folder / names[i % len(names)] / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)
    made.rmdir()


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder with one of each kind of data: photos, pairs, labelled."""
    folder = tmp_path_factory.mktemp("registry")
    make_photos(folder / "photos", count=12)
    make_pairs(folder / "pairs")
    make_classes(folder / "labelled", CLASSES)
    return folder


def tiny(recipe):
    """Overrides that make a recipe's net, and its critic, as small as they come."""
    defaults = [d for d in recipes.read(recipe)["defaults"] if isinstance(d, dict)]
    (generator,) = (d["generator"] for d in defaults if "generator" in d)
    known = parameters(nets.GENERATORS[recipes.read_generator(generator)["net"]])
    small = [f"recipe.generator.{k}={v}" for k, v in TINY.items() if k in known]
    if "critic_width" in parameters(recipes.recipe_class(recipes.read(recipe)["target"])):
        small.append("recipe.critic_width=2")
    return [f"recipe={recipe}", *small]


def combinations():
    for recipe in recipes.names():
        for kind in ("pairs", "labelled"):  # on photos, test_config trains them all
            yield pytest.param(recipe, kind, [], id=f"{recipe}-{kind}")
    told = ["recipe.teacher=labels", f"recipe.generator.classes={len(CLASSES)}"]
    yield pytest.param("chromagan", "labelled", told, id="chromagan-labels")
    for kind in ("photos", "pairs"):
        told = ["data.hints=0.5", "data.film=0.5", "data.exposure=0.2", "data.color=0.2"]
        yield pytest.param("hints", kind, told, id=f"hints-told-{kind}")


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "kind", "more"), list(combinations()))
def test_every_recipe_trains_on_every_kind_of_data(recipe, kind, more, places, tmp_path, capsys):
    path = [f"data={kind}", f"data.path={places / kind}", f"data.cache={places / 'cache'}"]
    config = composed(*tiny(recipe), *path, "data.size=32", *SHORT, *more)
    state = fit_configured(config, recipe_name=recipe, run_dir=str(tmp_path / "run"))
    assert state.step == 2 and len(losses_of(tmp_path / "run")) >= 2
    _, header = weights.load(tmp_path / "run" / "last.safetensors")
    assert (header.recipe, header.steps) == (recipe, 2)
    said = capsys.readouterr().err
    assert "0 gray left out" in said and "to validate" in said


def stand_in(config):
    """Photos where a data set's own would be, below the working folder; drawn ones need none."""
    labels = config.get("labels")
    folders = tiny_imagenet() if labels == "imagenet" else CLASSES
    for i, path in enumerate(filter(None, (config.get("path"), config.get("val")))):
        folder = Path(path)
        if "gray_folder" in config:
            make_pairs(folder)
        elif "direction" in config:
            make_pairs(folder, gray="A", color="B")
        elif labels:
            # three of the classes in each; validation has other photos than training
            make_classes(folder, list(folders)[:3], count=4 - i)
            for j, file in enumerate(sorted(folder.rglob("*.png")) if i else []):
                with Image.open(file) as picture:
                    picture.rotate(90).save(file.with_name(f"{j}.png"))
                file.unlink()
        else:
            make_photos(folder, count=12)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_every_data_set_trains(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = yaml.safe_load((CONFIGS.parent / "data" / f"{name}.yaml").read_text())
    path = [f"data.path={name}"] if name in YOURS else []
    short = SHORT[:-1] if name in DRAWN else SHORT  # of these no share is held back
    size = min(64, own["size"])
    config = composed(*tiny("unet_l1"), f"data={name}", *path, f"data.size={size}", *short)
    stand_in(config.data)
    assert fit_configured(config, recipe_name="unet_l1", run_dir="run").step == 2
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["data"]
    assert (kept["size"], kept.get("labels")) == (size, own.get("labels"))
    assert all(row["val_psnr"] for row in losses_of("run")[-1:])


@pytest.mark.slow
@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_set_that_is_missing_names_its_download(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = plain(composed(f"data={name}"))["data"]
    assert data["path"].split("/")[:2] == ["data", name] and name in SOURCES
    with pytest.raises(DataError) as raised:
        open_photos(data, seed=0)
    assert str(raised.value) == (
        f"{data['path']}: there is nothing of this name; pix2pix download {name} data brings it"
    )


def test_the_page_and_the_files_agree():
    page = (DOCS / "data.md").read_text()
    table = page.split("## Sets")[1].split("## Batches")[0]
    rows = [
        line.strip("| ").split(" | ")
        for line in table.splitlines()
        if line.startswith("| `") and "data=" not in line
    ]
    assert sorted(row[0].strip("`") for row in rows) == SETS
    for name, about, path, size in rows:
        file = CONFIGS.parent / "data" / f"{name.strip('`')}.yaml"
        config = yaml.safe_load(file.read_text())
        assert config["size"] == int(size)
        assert "labelled" not in about or config["labels"]
        assert (path == "none") == (name.strip("`") in DRAWN)
        if path not in ("yours", "none"):
            assert f"{config['path']}/".startswith(f"{path.strip('`')}/")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "key"),
    [("photos", "gray_folder"), ("pairs", "gray_foldr"), ("tiny_imagenet", "label")],
)
def test_a_misspelt_key_names_itself(name, key, capsys):
    assert main([f"data={name}", "data.path=x", f"data.{key}=x"]) == 1
    error = capsys.readouterr().err
    assert f"data.{key}" in error and "Traceback" not in error


@pytest.mark.slow
def test_the_installed_command_trains_on_pairs(places, tmp_path):
    (places / "pairs" / "gray" / "lonely.png").write_bytes(
        (places / "pairs" / "gray" / "photo00.png").read_bytes()
    )
    line = [
        warm.pix2pix(),
        "train",
        *tiny("unet_l1"),
        "data=pairs",
        f"data.path={places / 'pairs'}",
    ]
    line += [*SHORT, "data.size=32", f"data.cache={tmp_path / 'cache'}", "run_dir=run"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1 not in pairs: gray/lonely.png has no partner)" in done.stderr.splitlines()[0]
    with open(tmp_path / "run" / "metrics.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) >= 2
