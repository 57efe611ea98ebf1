"""The command line, `pix2pix`.

__main__.py has the commands: what they take, and the few lines that each of them does.
pictures.py (`colorize` and `translate`), evaluate.py, report.py and convert.py are commands that
have more to say; options.py has the options that several share, console.py what all print and how
they fail, packages.py what to install.
"""

from typing import TYPE_CHECKING

from pix2pix import on_first_use

__all__ = ["main"]

if TYPE_CHECKING:
    from pix2pix.cli.__main__ import main

__getattr__ = on_first_use(__name__, {"main": "pix2pix.cli.__main__"})
