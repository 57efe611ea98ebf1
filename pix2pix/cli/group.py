"""The group of commands: what is no command is a photo, and a missing package is one line.

Of libraries only typer is imported up here, as in __main__.py.
"""

import os
from typing import Any

import typer.core

from pix2pix.cli import packages

_OF_PATHS = "/\\.*?["  # no command has these, and few files have none of them


class Commands(typer.core.TyperGroup):
    """`pix2pix PHOTO ...` is `pix2pix colorize PHOTO ...`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the arguments begin with, or fail with the nearest one."""
        first = args[0]
        if first in self.commands:
            return super().resolve_command(ctx, args)
        if not _is_photo(first):
            from difflib import get_close_matches

            near = get_close_matches(first, self.commands, n=1)
            asked = f" Did you mean `pix2pix {near[0]}`?" if near else ""
            ctx.fail(f"{first!r} is no command, and no file here.{asked}")
        escaped = ["--"] * (first.startswith("-") and first != "-")  # as in `pix2pix -- -a.jpg`
        return super().resolve_command(ctx, ["colorize", *escaped, *args])

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a package that it misses is named with the extra that suits it."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            line = packages.line(error, ctx.invoked_subcommand)
            if line is None:  # one of our own: a fault
                raise
            raise ModuleNotFoundError(line) from error


def _is_photo(argument: str) -> bool:
    """Whether it is a photo, folder or glob rather than a misspelt command."""
    written = argument == "-" or any(sign in argument for sign in _OF_PATHS)
    return os.path.lexists(argument) or written and not argument.startswith("-" * 2)
