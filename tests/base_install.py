"""A real virtual environment with what `pip install pix2pix-color` brings, for tests of it.

The wheel is built of a copy of what it is made from, so that no older build leaves a file in it.
pip takes the packages from its cache, or fetches them.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from places import ROOT


@dataclass(frozen=True)
class BaseInstall:
    """The environment's folder, and the wheel that is installed in it."""

    folder: Path
    wheel: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def home(self) -> Path:
        """The home of who runs it."""
        return self.folder.parent / "home"

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        (found,) = self.folder.glob("lib/python3*/site-packages")
        return found

    def in_wheel(self) -> list[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.namelist()

    def run(
        self, *command: str | Path, cwd: Path, data: bytes = b"", **more: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one of its programs in the folder `cwd`: nothing of this checkout is on its path."""
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.home), **more}
        for name in ("OMP_NUM_THREADS", "HF_HUB_OFFLINE", "TMPDIR"):
            if name in os.environ:
                environment.setdefault(name, os.environ[name])
        program, *arguments = map(str, command)
        return subprocess.run(
            [self.bin / program, *arguments],
            cwd=cwd,
            env=environment,
            input=data,
            capture_output=True,
            timeout=120,
        )


def install(folder: Path) -> BaseInstall:
    """Build the wheel and install it with its base dependencies, as requirements.txt pins them."""
    source, wheels, venv = folder / "source", folder / "wheels", folder / "venv"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pix2pix", source / "pix2pix", ignore=ignored)
    shutil.copytree(ROOT / "tests", source / "tests", ignore=ignored)  # which must stay out
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def call(*command: str | Path) -> None:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    (folder / "home").mkdir()
    call(sys.executable, "-m", "venv", venv)
    pip = (venv / "bin" / "pip", "--quiet", "--disable-pip-version-check")
    call(*pip, "wheel", "--no-deps", "--wheel-dir", wheels, source)
    (wheel,) = wheels.glob("*.whl")
    call(*pip, "install", "--constraint", ROOT / "requirements.txt", wheel)
    return BaseInstall(venv, wheel)
