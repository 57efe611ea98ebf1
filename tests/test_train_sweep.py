"""Sweeps: a table of all runs, whatever became of them, by Hydra's launcher and by submitit's."""

import csv
import json
import os
import subprocess
import sys

import fake_slurm
import pytest
import warm
from fake_slurm import install
from test_train_loop import overrides_for
from tiny_runs import losses_of, make_photos

from pix2pix import weights
from pix2pix.errors import SettingError
from pix2pix.train import sweep
from pix2pix.train.__main__ import main
from pix2pix.train.sweep import as_markdown, conclude, noted, rows


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("sweep") / "photos")


def a_run(folder, overrides, scores=(), **note):
    """The folder of a run of a sweep, with a row a step of these validation PSNRs."""
    folder.mkdir(parents=True)
    note = {"overrides": overrides, "status": "done", "seconds": 61.26, **note}
    (folder / "sweep.json").write_text(json.dumps(note))
    if scores:
        lines = [f"{step},0.5,{score},20.5,0.25" for step, score in enumerate(scores, 1)]
        head = "step,l1,val_psnr,val_psnr_gray,val_colorfulness"
        (folder / "metrics.csv").write_text("\n".join([head, *lines, "9,0.4,,,"]) + "\n")


@pytest.fixture
def finished(tmp_path):
    """A sweep of four runs: number 10 is the best, 2 diverged, 3 failed."""
    a_run(tmp_path / "1", ["data.path=x", "recipe.l1=1"], [21.0, 23.0, 22.0])
    a_run(tmp_path / "10", ["data.path=x", "recipe.l1=10"], [24.5])
    a_run(tmp_path / "2", ["data.path=x", "recipe.l1=2"], ["nan", "nan"], status="failed")
    a_run(tmp_path / "3", ["data.path=x", "recipe.l1=3"], status="failed", error="a | b")
    return tmp_path


def test_a_row_a_run_the_best_first(finished):
    found = rows(finished)
    assert [row["run"] for row in found] == ["10", "1", "2", "3"]
    assert [row["overrides"] for row in found[:2]] == ["recipe.l1=10", "recipe.l1=1"]
    names = ("best_val_psnr", "best_step", "val_psnr", "val_psnr_gray", "val_colorfulness", "steps")
    assert [found[1][name] for name in names] == [23.0, 2, 22.0, 20.5, 0.25, 9]
    assert found[2]["best_val_psnr"] == "" and found[3]["steps"] == 0


def test_what_a_run_is_writing_or_none_wrote_is_not_misread(finished):
    metrics = finished / "1" / "metrics.csv"
    metrics.write_text(metrics.read_text() + "12")  # the first digits of step 120
    (finished / "2" / "metrics.csv").write_text("a,b\n1,2\n")
    found = {row["run"]: row for row in rows(finished)}
    assert found["1"]["steps"] == 9 and found["1"]["best_step"] == 2
    assert found["2"]["steps"] == "" and found["2"]["best_val_psnr"] == ""


def test_it_is_written_and_printed(finished, capsys):
    assert conclude(finished) == 1  # two have failed
    with (finished / "results.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == list(sweep.COLUMNS)
    assert [row["status"] for row in read] == ["done", "done", "failed", "failed"]
    text = (finished / "results.md").read_text()
    assert capsys.readouterr().out == text == as_markdown(rows(finished))
    lines = text.splitlines()
    assert len({len(line) for line in lines}) == 1 and len(lines) == 6
    assert "| 24.50 " in lines[2] and "| 61 " in lines[2] and r"a \| b" in lines[5]


def test_a_run_alone_shows_all_that_it_was_given(tmp_path):
    a_run(tmp_path / "0", ["data.path=x"], [20.0])
    assert rows(tmp_path)[0]["overrides"] == "data.path=x"


def read(folder):
    return json.loads((folder / "sweep.json").read_text())


def test_a_note_says_how_it_ended(tmp_path, capsys):
    def begin(error=None):
        with noted(tmp_path, ["a=1"], expected=(SettingError,)):
            assert read(tmp_path)["status"] == "running"
            if error:
                raise error

    begin()
    assert read(tmp_path)["status"] == "done"
    begin(SettingError("no\ngood"))
    assert (read(tmp_path)["status"], read(tmp_path)["error"]) == ("failed", "no good")
    assert capsys.readouterr().err == f"pix2pix train: {tmp_path}: no good\n"
    begin(ZeroDivisionError("by 0"))
    assert "Traceback" in capsys.readouterr().err and read(tmp_path)["error"] == "by 0"
    for error in (SystemExit(143), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            begin(error)
        assert read(tmp_path)["status"] == "stopped"


def test_seconds_of_a_resumed_run_add_up(tmp_path):
    a_run(tmp_path / "0", [], seconds=100.0, status="stopped")
    with noted(tmp_path / "0", [], expected=()):
        pass
    assert 100 <= read(tmp_path / "0")["seconds"] < 200


@pytest.mark.slow
def test_a_sweep_ends_with_its_table_though_some_runs_fail(photos, tmp_path, capsys, monkeypatch):
    settings = overrides_for(photos, tmp_path / "sweep", "recipe.l1=5,7", "trainer.accumulate=3,1")
    assert main(["--multirun", *settings]) == 1
    told = capsys.readouterr()
    assert told.err.count("not a multiple of 1 processes x 3") == 2
    with (tmp_path / "sweep" / "results.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert sorted((row["overrides"], row["status"], row["steps"]) for row in found) == [
        ("recipe.l1=5 trainer.accumulate=1", "done", "2"),
        ("recipe.l1=5 trainer.accumulate=3", "failed", "0"),
        ("recipe.l1=7 trainer.accumulate=1", "done", "2"),
        ("recipe.l1=7 trainer.accumulate=3", "failed", "0"),
    ]
    best = found[0]
    last = losses_of(tmp_path / "sweep" / best["run"])[-1]
    assert float(best["val_psnr"]) == pytest.approx(float(last["val_psnr"]))
    assert told.out.count("| done ") == 2 and told.out.count("| failed ") == 2
    assert "not a multiple" in found[2]["error"] and float(best["seconds"]) > 0


def test_a_run_by_itself_has_no_table(photos, tmp_path, capsys):
    assert main(overrides_for(photos, tmp_path / "run")) == 0
    assert not list(tmp_path.rglob("sweep.json")) and "status" not in capsys.readouterr().out


@pytest.mark.slow
def test_several_processes_a_run_are_for_slurm(photos, tmp_path, capsys):
    more = ["recipe.l1=5,7", "trainer.devices=2"]
    assert main(["--multirun", *overrides_for(photos, tmp_path / "sweep", *more)]) == 1
    assert capsys.readouterr().err.count("--multirun is for runs of one process each") == 2


@pytest.mark.slow
def test_submitit_runs_each_in_a_process_of_its_own(photos, tmp_path):
    launcher = ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"]
    settings = overrides_for(photos, tmp_path / "sweep", "recipe.l1=5,7", *launcher)
    done = subprocess.run(
        [warm.python(), "-m", "pix2pix.train", "--multirun", *settings],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| done ") == 2
    for job, l1 in enumerate((5.0, 7.0)):
        folder = tmp_path / "sweep" / str(job)
        assert weights.read_header(folder / "last.safetensors").arguments["l1"] == l1
    logs = [path.read_text() for path in (tmp_path / "sweep" / ".submitit").rglob("*_log.out")]
    assert len(logs) == 2 and all("Job completed successfully" in text for text in logs)


@pytest.mark.slow
def test_a_sweep_on_slurm_submits_jobs_with_the_resources_of_a_run(photos, tmp_path, monkeypatch):
    for name, value in install(tmp_path / "slurm").items():
        monkeypatch.setenv(name, value)
    more = ["recipe.l1=5,7", "trainer=slurm", "trainer.devices=4", "trainer.num_nodes=2"]
    settings = overrides_for(photos, tmp_path / "sweep", *more, "hydra.launcher.partition=gpu")
    command = [warm.python(), "-m", "pix2pix.train", "--multirun", *settings]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        script = tmp_path / "slurm" / "script"
        fake_slurm.wait_until(lambda: script.exists() or process.poll() is not None)
    finally:
        process.kill()
    assert script.exists(), process.communicate()
    given = fake_slurm.directives(script)
    assert given["signal"] == "USR2@90" and "requeue" in given and given["array"] == "0-1%2"
    names = ("nodes", "ntasks-per-node", "gpus-per-node", "partition", "time")
    assert [given[name] for name in names] == ["2", "4", "4", "gpu", "240"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"overrides": 3, "seconds": 1}', "null", "{}"])
def test_a_broken_note_of_a_run_is_passed_over_and_written_anew(text, tmp_path):
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "sweep.json").write_text(text)
    assert rows(tmp_path) == [] and sweep.conclude(tmp_path) == 1
    with sweep.noted(tmp_path / "0", ["a=1"], expected=()):
        pass
    assert read(tmp_path / "0")["status"] == "done"


def test_the_table_is_printed_in_any_encoding(tmp_path, monkeypatch):
    import io

    a_run(tmp_path / "0", ["data.path='中 Δ'"], [20.0])
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="cp1252"))
    sweep.conclude(tmp_path)
    sys.stdout.flush()
    assert b"delta" in out.getvalue()
