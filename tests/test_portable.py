"""Training where POSIX is missing: without fcntl and its kin, those signals, and synced folders."""

import os
import subprocess
import sys
import textwrap

import pytest
import warm
from places import ROOT, TESTS

# What Windows does not have is taken away before anything of the package is imported. The standard
# library's own modules and torch, which look at the platform, are imported first.
WITHOUT_POSIX = """
    import asyncio, getpass, logging.handlers, multiprocessing, os, pathlib, shutil, signal
    import subprocess, sys, tarfile, tempfile
    import torch, torch.utils.data, lightning.fabric, matplotlib.pyplot, hydra
    import huggingface_hub, gradio, uvicorn
    HIDDEN = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix_ipc"}
    for name in HIDDEN:
        sys.modules.pop(name, None)
    for name in [n for n in sys.modules if n.split(".")[0] == "filelock"]:
        del sys.modules[name]

    class Hide:
        def find_spec(self, name, path=None, target=None):
            if name in HIDDEN:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Hide())
    for name in ("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGALRM"):
        delattr(signal, name)
    for name in ("getuid", "geteuid", "fork", "fchmod", "chown", "mkfifo", "sched_getaffinity",
                 "statvfs", "killpg", "setsid", "O_NOFOLLOW", "O_DIRECTORY"):
        delattr(os, name)
    really_open = os.open

    def open_files_alone(path, *arguments, **settings):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)
        return really_open(path, *arguments, **settings)

    os.open = open_files_alone
"""


def run(code, folder):
    quiet = "import warnings; warnings.simplefilter('ignore')\n"
    program = quiet + textwrap.dedent(WITHOUT_POSIX) + textwrap.dedent(code)
    path = os.pathsep.join([str(ROOT), str(TESTS)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [warm.python(), "-c", program]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_every_module_is_imported_and_a_run_trains_resumes_and_is_alone(tmp_path):
    told = run(
        """
        import importlib, pkgutil
        import pix2pix
        names = [m.name for m in pkgutil.walk_packages(pix2pix.__path__, "pix2pix.")]
        names = [n for n in names if "pretrained" not in n and not n.endswith("__main__")]
        for name in names:
            importlib.import_module(name)

        from pathlib import Path
        from PIL import Image
        import numpy as np
        from pix2pix import build, show
        from pix2pix.colorize import Colorizer
        from pix2pix.data import Photos
        from pix2pix.errors import CheckpointError
        from pix2pix.train import Loggers, fit
        from pix2pix.train.checkpoints import Checkpoints
        from pix2pix.train.run import only_run_in

        Path("photos").mkdir()
        for i in range(8):
            rgb = np.random.default_rng(i).integers(0, 255, (40, 40, 3), np.uint8)
            Image.fromarray(rgb).save(f"photos/{i}.png")
        photos = Photos("photos", cache="cache", size=32)
        recipe = lambda: build("pix2pix", generator={"width": 4, "depth": 3}, critic_width=4)

        def go(steps, **more):
            loggers = Loggers("run", [show.Live("l1", every=5)], tensorboard=False)
            settings = {"batch": 4, "workers": 0, "val_every": 2, "val_photos": 2}
            return fit(recipe(), photos=photos, val=photos, run_dir="run", loggers=loggers,
                       steps=steps, **settings, **more)

        assert go(2).step == 2
        assert go(4, ckpt_path="last").step == 4
        with only_run_in(Path("run")):
            try:
                go(6, ckpt_path="last")
            except CheckpointError as error:
                print("second run:", error)
        assert Checkpoints("run/checkpoints").steps() == [2, 4]
        Colorizer.from_pretrained("run/last.safetensors")
        missing = [n for n in HIDDEN if n in sys.modules]
        print("modules:", len(names), "of", len(names), "hidden but there:", missing)
        """,
        tmp_path,
    )
    assert "second run: run: another run is writing here" in told
    assert "hidden but there: []" in told
    print(told)


@pytest.mark.slow
def test_without_the_extra_it_is_one_line(tmp_path):
    for missing in ("lightning", "hydra"):
        program = f"""
            import runpy, sys
            class Hide:
                def find_spec(self, name, path=None, target=None):
                    if name.split(".")[0] == {missing!r}:
                        raise ModuleNotFoundError(name)
            sys.meta_path.insert(0, Hide())
            sys.argv = ["train", "data.path=x"]
            runpy.run_module("pix2pix.train", run_name="__main__")
        """
        command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        line = "pix2pix train: training needs: pip install 'pix2pix-color[train]'\n"
        assert (done.returncode, done.stderr) == (1, line)
