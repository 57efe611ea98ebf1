"""The stand-in for Python does what Python does."""

import importlib
import os
import signal
import subprocess
import sys

import pytest
import stand_in
import warm

PROGRAMS = {
    "arguments": ["-c", "import sys; print(sys.argv, __name__)", "a b", "--c"],
    "a module": ["-m", "pix2pix.cli", "--version"],
    "a module that is refused": ["-m", "pix2pix.cli", "colorize", "--no-such"],
    "no module": ["-m", "no_such_module"],
    "a file": ["program.py", "x"],
    "input": ["-c", "print(input().upper())"],
    "folder": ["-c", "import os; print(os.getcwd(), os.environ['MINE'], os.umask(0))"],
    "path": ["-c", "import sys, pix2pix; print(sys.path[0], pix2pix.__file__)"],
    "exit": ["-c", "import sys; sys.exit(7)"],
    "a word at the exit": ["-c", "import sys; sys.exit('bye')"],
    "at exit": ["-c", "import atexit; atexit.register(print, 'end')"],
    "a thread": ["-c", "import threading as t; t.Timer(0.1, print, ['late']).start()"],
    "killed": ["-c", "import os; os.kill(os.getpid(), 9)"],
    "an option": ["-W", "error", "-c", "import warnings; warnings.warn('x')"],
    "unbuffered": ["-u", "-c", "import os; print(1); os.write(1, b'2'); print(3)"],
    "order": ["-c", "import os; print(1); os.write(1, b'2'); print(3)"],
    "one thread": ["-c", "import torch; print(torch.get_num_threads())"],
}


@pytest.fixture
def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "MINE": "here", "PYTHONUNBUFFERED": ""}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_streams_and_status_are_those_of_python(name, environment, tmp_path):
    (tmp_path / "program.py").write_text("import sys; print(sys.argv, __file__, __name__)")

    def run(python):
        settings = {"cwd": tmp_path, "env": environment, "input": "word\n", "text": True}
        done = subprocess.run([python, *PROGRAMS[name]], capture_output=True, **settings)
        return done.returncode, done.stdout, done.stderr.replace(python, sys.executable)

    assert run(warm.python()) == run(sys.executable)
    environment["PYTHONUNBUFFERED"] = "1" if name in ("order", "at exit") else ""
    if environment["PYTHONUNBUFFERED"]:
        assert run(warm.python()) == run(sys.executable)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
def test_it_is_warm_in_the_environments_of_tests(whole):
    importlib.import_module("lightning.fabric")  # it sets a variable
    # a bare one, but for what a machine tells libraries as they start, such as OPENBLAS_CORETYPE
    bare = {"PATH": "/usr/bin:/bin"} | stand_in.at_start(os.environ)
    environment = (os.environ if whole else bare) | {"OMP_NUM_THREADS": "1"}
    code = "import subprocess, sys; print('torch' in sys.modules, flush=True);"
    code += "len(sys.argv) > 1 or subprocess.run([sys.executable, '-c', sys.orig_argv[2], 'again'])"
    told = subprocess.check_output([warm.python(), "-c", code], env=environment, text=True)
    assert told == "True\nTrue\n"  # and what it starts is warm, too


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL])
def test_signals_reach_it_and_show_in_its_status(kind, environment):
    code = "import time; print(flush=True); time.sleep(60)"
    command = [warm.python(), "-c", code]
    with subprocess.Popen(command, stdout=-1, stderr=-1, env=environment, text=True) as process:
        process.stdout.readline()
        process.send_signal(kind)
        _, err = process.communicate(timeout=60)
    assert process.returncode == -kind
    assert err.endswith("KeyboardInterrupt\n" if kind == signal.SIGINT else "")


@pytest.mark.slow
def test_an_error_is_told(environment):
    command = [warm.python(), "-c", "1 / 0"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and done.stderr.endswith("ZeroDivisionError: division by zero\n")
