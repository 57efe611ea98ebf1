"""Where output goes: to somebody who watches, or into a file."""

import sys


def is_live() -> bool:
    """Whether stderr is redrawn in place: on a terminal, or in a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    in_kernel = ipython is not None and hasattr(ipython.get_ipython(), "kernel")
    return sys.stderr.isatty() or in_kernel
