"""SLURM: jobs that queue themselves again and go on, on stand-ins for its commands.

No real cluster has been met: `fake_slurm` runs the batch script's processes on this machine.
"""

import os
import re
import signal
import subprocess

import fake_slurm
import pytest
import warm
from fake_slurm import install, start, tell_steps, wait_until
from hydra import compose, initialize_config_module
from places import DOCS, SCRIPTS
from test_train_loop import last_of, overrides_for
from tiny_runs import NO_DROPOUT, equal_states, losses_of, make_photos, train

import pix2pix.train.__main__ as training
from pix2pix.train import loop, slurm

SCRIPT = SCRIPTS / "train.sbatch"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("slurm") / "photos")


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """The stand-ins on PATH, no job yet."""
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    for name, value in install(tmp_path / "slurm").items():
        monkeypatch.setenv(name, value)
    return tmp_path / "slurm"


@pytest.fixture
def job(cluster, monkeypatch):
    """Within job 4711, which is running."""
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    (cluster / "state").write_text("RUNNING")
    return cluster


@pytest.mark.parametrize("state", ["RUNNING", "COMPLETING", ""])
def test_only_a_job_that_nobody_canceled_comes_back(state, job):
    (job / "state").write_text(state)
    said = []
    assert slurm.requeue(said.append) == (state == "RUNNING")
    asked = "scontrol requeue 4711" in fake_slurm.told()
    assert asked == (state == "RUNNING")
    told = "in the queue again" if asked else f"not started again: it is {state or 'unknown'}"
    assert said == [f"job 4711 is {told}"]


def test_outside_of_slurm_and_without_its_commands_it_says_so(cluster, monkeypatch):
    said = []
    assert not slurm.requeue(said.append)
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("PATH", "/nowhere")
    assert not slurm.requeue(said.append)
    assert said[0] == "not started again: this is no SLURM job"
    assert "job 4711 is not started again" in said[1] and "squeue" in said[1]


def test_a_job_of_an_array_has_its_place_in_its_name(monkeypatch):
    for name, value in {"JOB_ID": "12", "ARRAY_JOB_ID": "10", "ARRAY_TASK_ID": "3"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert slurm.job() == "10_3"


def stopped(photos, folder, monkeypatch, kind, **settings):
    """A run that gets a signal in its second step."""
    original = loop.train_step

    def train_step(fabric, state, micro, **keywords):
        if state.step == 1:
            signal.raise_signal(kind)
        return original(fabric, state, micro, **keywords)

    monkeypatch.setattr(loop, "train_step", train_step)
    with pytest.raises(SystemExit) as stop:
        train(NO_DROPOUT, photos, folder, **settings)
    assert stop.value.code == 143 and last_of(folder)["step"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM])
def test_a_stopped_run_saves_first_and_then_asks_to_be_queued_again(
    kind, photos, tmp_path, monkeypatch, job
):
    saved_then = []
    monkeypatch.setattr(slurm, "requeue", lambda say: saved_then.append(last_of(folder)["step"]))
    folder = tmp_path / "run"
    stopped(photos, folder, monkeypatch, kind, requeue=True)
    assert saved_then == [2]


@pytest.mark.slow
def test_a_run_that_was_not_told_to_and_one_that_is_done_ask_for_nothing(
    photos, tmp_path, monkeypatch, job
):
    stopped(photos, tmp_path / "a", monkeypatch, signal.SIGUSR1)
    stopped(photos, tmp_path / "b", monkeypatch, signal.SIGUSR1, requeue=True, steps=2)
    assert fake_slurm.told() == []


@pytest.mark.slow
def test_the_batch_script_on_two_nodes_is_told_to_stop_queued_again_and_ends_as_if_never_stopped(
    photos, tmp_path, monkeypatch, cluster
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHON", warm.python())
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings = overrides_for(photos, tmp_path / "whole", "trainer.steps=100")
    command = [warm.python(), "-m", "pix2pix.train", *settings, "trainer.devices=2"]
    subprocess.run(command, check=True, capture_output=True)

    mine = [s for s in settings if not s.startswith("run_dir")]
    options = ["--nodes=2", "--ntasks-per-node=1"]
    subprocess.run(["sbatch", *options, SCRIPT, *mine], check=True)
    run = tmp_path / "runs" / "slurm-4711"
    first = start()
    wait_until(lambda: first.poll() is not None or rows_in(run) > 3)
    tell_steps(signal.SIGUSR1)
    log = cluster / "log"
    assert first.wait(300) == 143, log.read_text()
    assert fake_slurm.told()[-2:] == ["squeue --noheader --format=%T --jobs=4711"] + [
        "scontrol requeue 4711"
    ]
    stopped_at = last_of(run)["step"]
    assert stopped_at < 100 and (cluster / "state").read_text() == "PENDING"

    again = start()
    assert again.wait(600) == 0, log.read_text()
    text = log.read_text()
    assert f"stopped at step {stopped_at};" in text and "Traceback" not in text
    assert f"{run.name}: going on from step {stopped_at}" in text
    assert "2 x cpu" in text and text.count("job 4711 is in the queue again") == 1

    whole = tmp_path / "whole"
    assert [row["step"] for row in losses_of(run)] == [str(step) for step in range(1, 101)]
    assert losses_of(run) == losses_of(whole)
    assert equal_states(last_of(run), last_of(whole))


def rows_in(folder):
    return len(losses_of(folder)) if (folder / "metrics.csv").exists() else 0


def test_the_batch_script_asks_for_the_signal_and_for_several_nodes():
    given = fake_slurm.directives(SCRIPT)
    assert given["signal"] == "USR1@90" and "requeue" in given and int(given["nodes"]) > 1
    assert given["open-mode"] == "append"
    assert re.search(r"exec srun .*-m pix2pix.train trainer=slurm", SCRIPT.read_text())


@pytest.mark.slow
def test_the_commands_of_the_docs_compose():
    text = " ".join((DOCS / "training.md").read_text().split())
    found = re.findall(r"`(sbatch|pix2pix train --multirun|torchrun) ([^`]*)`", text)
    assert {command for command, _ in found} == {"sbatch", "pix2pix train --multirun", "torchrun"}
    training.main(["--help"])  # registers the schemas
    for _, arguments in found:
        overrides = [word.split(",")[0] for word in arguments.split() if "=" in word]
        with initialize_config_module("pix2pix.configs", version_base="1.3"):
            config = compose("train", ["trainer=slurm", *overrides], return_hydra_config=True)
        assert config.trainer.requeue and config.trainer.ckpt_path == "last"
        assert config.hydra.launcher.tasks_per_node == config.trainer.devices
