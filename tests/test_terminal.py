"""Who watches the output: a terminal, a notebook, or nobody."""

from types import SimpleNamespace

import pytest

from pix2pix.terminal import is_live


@pytest.mark.parametrize(
    "terminal, shell, live",
    [
        (True, None, True),
        (False, None, False),  # plain Python, output in a file
        (False, SimpleNamespace(), False),  # IPython on a terminal, output in a file
        (False, SimpleNamespace(kernel=object()), True),
    ],
)
def test_live_on_a_terminal_and_in_a_kernel(monkeypatch, terminal, shell, live):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    assert is_live() is live


def test_without_ipython_the_terminal_decides(monkeypatch):
    monkeypatch.delitem(__import__("sys").modules, "IPython", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert not is_live()
