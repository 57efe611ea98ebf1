"""Commands as a reader types them into a shell, in a folder of small stand-ins."""

import shlex
import subprocess
import sys
from pathlib import Path

import warm

BIN = Path(sys.executable).parent
# Training commands stop after two tiny steps of a narrow net; their other arguments are the page's.
_SHORT = [
    "trainer.steps=2",
    "trainer.batch=2",
    "trainer.val_photos=2",
    "data.val_fraction=0.5",
]


def run(line: str, folder: Path, **environment: str) -> None:
    """Run a line in `folder`, training cut short; it fails the test where the line fails."""
    if line.startswith("pix2pix train"):
        drawn = "data=marbles" in line or "data=quilt" in line  # of these no share is held back
        short = [one for one in _SHORT if not (drawn and "val_fraction" in one)]
        narrow = [] if "generator" in line else ["recipe.generator.width=8"]
        size = "data.size=128" if "depth=7" in line else "data.size=256"  # which its net takes
        line = " ".join([line, size, *map(shlex.quote, [*short, *narrow])])
    path = f"{warm.folder()}:{BIN}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{line}\n{done.stderr}"
