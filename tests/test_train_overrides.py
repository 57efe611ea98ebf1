"""Overrides as people type them: paths of any characters, and one line for what is none."""

import shutil
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from test_train_loop import overrides_for
from tiny_runs import make_photos

from pix2pix.train.__main__ import main
from pix2pix.train.config import register
from pix2pix.train.overrides import quote, verbatim

NAMES = [
    *("Köln 1912", "[1912] a, b", "y@z & x", "{}", "a=b", "a'b", 'a"b', "$HOME", "a(b)", "~x"),
    *("back\\slash\\", "\\\\server\\share", "a\\'b", " lead", "trail ", "1912", "true", "1e3"),
    *("x:y", "%a", "#c", "''x", "日本", "a;b", "`", "*", "?", "|", "None", "a,b", "!", "a\tb", "'"),
]
WHERE = {"data.path", "run_dir"}


def read_by_hydra(override):
    value = OverridesParser.create().parse_override(override).value()
    return getattr(value, "text", value)


def test_a_path_is_what_was_typed():
    kept = [n for n in NAMES if read_by_hydra(verbatim([f"run_dir={n}"], WHERE)[0]) == n]
    print(f"paths taken verbatim: {len(kept)} of {len(NAMES)}")
    assert kept == NAMES
    assert all(read_by_hydra(f"x={quote(name)}") == name for name in NAMES)


def test_a_tilde_is_home_and_what_is_hydras_stays(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    for given, expected in {
        "data.path=~/photos": "data.path=/home/me/photos",
        "data.path=~": "data.path=/home/me",
        "+data.path=~/my photos": "+data.path=/home/me/my photos",
        "++data.path=a, b": "++data.path='a, b'",
        "data.path='a, b'": "data.path='a, b'",
        'data.path="~/a"': 'data.path="~/a"',
        "data.path=null": "data.path=null",
        "data.path=": "data.path=",
        "data.path=${oc.env:X}/a": "data.path=${oc.env:X}/a",
        "data.path=${oc.env:X}/a, b": "data.path='${oc.env:X}/a, b'",
        "data.size=[1, 2]": "data.size=[1, 2]",  # no text
        "~data.path": "~data.path",
        "--multirun": "--multirun",
    }.items():
        assert verbatim([given], WHERE) == [expected]


def test_a_sweep_over_paths_is_one_of_each():
    for given, expected in {
        "data.path=~x y,[b]": "data.path='~x y','[b]'",
        "data.path='a, b',c": "data.path='a, b',c",
        "data.path=choice(a,b)": "data.path=choice(a,b)",
        "data.path=a": "data.path=a",
    }.items():
        assert verbatim(["-m", given], WHERE) == ["-m", expected]
        assert verbatim([given, "--multirun"], WHERE) == [expected, "--multirun"]


def test_which_settings_are_text_follows_from_the_signatures():
    texts = register()
    paths = {"run_dir", "data.path", "data.val", "data.cache", "data.gray_folder"}
    paths |= {"trainer.init_from", "trainer.ckpt_path", "recipe.perceptual_weights"}
    assert paths | {"recipe.generator.weights", "recipe.teacher"} <= texts
    assert not texts & {"data.size", "trainer.sizes", "trainer.steps", "recipe.lr", "recipe"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("odd") / "photos", count=12)


@pytest.mark.slow
def test_a_run_of_oddly_named_folders(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(photos, "Köln [1912] a, b")
    settings = [o for o in overrides_for(photos, "x") if not o.startswith(("data.path", "run_dir"))]
    more = ["logger=csv", "trainer.steps=1", "data.path=~/Köln [1912] a, b"]
    assert main([*settings, *more, "run_dir=my runs/first, try"]) == 0
    assert Path("my runs/first, try/last.safetensors").is_file()


REFUSED = {  # what is given: what the line says
    "trainer.stepz=1": "Could not override 'trainer.stepz'.*Key 'stepz'",
    "recipe=xyz": "Could not find 'recipe/xyz' Available options",
    "trainer.steps=abc": "trainer.steps=abc.*'abc'.*Integer",
    "trainer.steps=1,2": "Ambiguous value.*--multirun",
    "trainer.steps=a(b": r"trainer.steps=a\(b: .*quotes: trainer.steps='a\(b'",
    "data.size=[1": r"data.size='\[1'",
    "data.val=${nope}": "Interpolation key 'nope' not found",
    "data.val=${oc.env:": "data.val",
    "foo": "foo: not a setting; give NAME=VALUE",
    "=3": "=3: not a setting",
    "--nonsense": "unrecognized arguments: --nonsense",
    "data.path=": "data.path: empty",
    "data.path= ": "nothing of this name",
    "run_dir=": "run_dir: empty",
    "data.path=" + "a" * 5000: "File name too long",
    "data.path=/dev/zero": "neither a folder nor a zip",
    "data.path=PIPE": "neither a folder nor a zip",
    "data.path=PHOTO": "neither a folder nor a zip",
    "data.val=PIPE": "neither a folder nor a zip",
    "data.cache=PHOTO": "the cache cannot be written: Not a directory",
    "run_dir=/dev/null": "cannot be written: File exists",
    "run_dir=/proc/x/y": "cannot be written",
    "run_dir=LOCKED": "cannot be written: Is a directory",
    "trainer.init_from=nope": "nope: no such weights",
    "trainer.init_from=PHOTO": "not a safetensors file",
    "trainer.ckpt_path=/dev/null": "not read: /dev/null.sha256",
    "trainer.ckpt_path=EMPTY": "not a checkpoint of a training run: it is empty",
    "trainer.batch=0": "trainer.batch=0: 1 or more",
    "trainer.batch=-4": "trainer.batch=-4: 1 or more",
    "trainer.workers=-1": "trainer.workers=-1: 0 or more",
    "trainer.log_every=0": "trainer.log_every=0: 1 or more",
    "trainer.val_every=0": "trainer.val_every=0: 1 or more",
    "trainer.accumulate=0": "trainer.accumulate=0: 1 or more",
    "trainer.clip=nan": "trainer.clip=nan: 0 or more",
    "trainer.accelerator=tpuu": "trainer.accelerator=tpuu",
    "run_dir=NUMBERS": "not a run's numbers; rename it",
}


@pytest.mark.slow
def test_odd_starts_end_in_one_line(photos, tmp_path, capsys):
    """Every one of them; a traceback would be raised here."""
    import hashlib
    import os
    import re

    (tmp_path / "LOCKED" / ".lock").mkdir(parents=True)
    (tmp_path / "NUMBERS").mkdir()
    (tmp_path / "NUMBERS" / "metrics.csv").write_text("a,b\n1,2\n")
    os.mkfifo(tmp_path / "PIPE")
    shutil.copy(photos / "photo00.png", tmp_path / "PHOTO")
    (tmp_path / "EMPTY").write_bytes(b"")
    (tmp_path / "EMPTY.sha256").write_text(hashlib.sha256().hexdigest())
    fine = 0
    for i, (given, pattern) in enumerate(REFUSED.items()):
        name, equals, value = given.partition("=")
        if value.isupper() and value.isalpha():
            value = str(tmp_path / value)
        more = [f"{name}{equals}{value}", "logger=csv"]
        assert main([*overrides_for(photos, tmp_path / f"r{i}"), *more]) == 1, given
        told = capsys.readouterr().err.splitlines()
        told = [line for line in told if not re.match(r"\d+ photos \(", line)]
        assert len(told) == 1 and told[0].startswith("pix2pix train: "), (given, told)
        assert re.search(pattern, told[0]), (given, told)
        fine += 1
    print(f"odd starts of train: {fine} of {len(REFUSED)} end in one line")


def test_hydras_own_way_of_errors_is_there_for_who_asks(photos, tmp_path, monkeypatch):
    from hydra.errors import HydraException

    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(HydraException):
        main([*overrides_for(photos, tmp_path / "run"), "trainer.stepz=1"])
