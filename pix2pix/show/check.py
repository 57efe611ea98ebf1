"""Checks that a learner fills in: numbers, texts, functions, classes.

A check prints one line and never raises, so that a notebook runs to its end with nothing filled in
or all of it wrong. What has passed is remembered: `yours` lets later cells go on with it.
"""

import ast
import inspect
import linecache
import os
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any, TypeVar
from weakref import WeakSet

import numpy as np
import torch

RIGHT, NOT_YET, YOUR_TURN = "Right.", "Not yet.", "Your turn"
Thing = TypeVar("Thing")
_passed: WeakSet[Any] = WeakSet()  # functions, classes and nets that passed a check in this kernel


def check(answer: object, truth: object, hint: str = "", *, tolerance: float = 1e-3) -> None:
    """Compare a learner's answer with the truth; print "Right.", "Not yet. HINT" or "Your turn".

    `truth` is the value itself, or a function answer -> True, False or a text, which is then the
    hint of that very mistake. Numbers, arrays and tensors may differ by `tolerance`, relative to
    the largest of the truth; texts by capitals and spaces around them. An exception in the
    learner's code is told in one line. It is the learner's turn while dots (`...`) stand for the
    answer, in a list of answers, or in the source of a function or class, where `x[..., 0]` is no
    gap. Never raises.
    """
    if unanswered(answer):
        print(f"{YOUR_TURN}: put your answer where the dots are, and run the cell again.")
        return
    try:
        verdict = _verdict(answer, truth, tolerance)
    except Exception as error:
        verdict = _told(error, answer)
    things = [thing for thing in _parts(answer) if _remembered(thing)]
    if verdict is True:
        _passed.update(things)
        print(RIGHT)
        return
    _passed.difference_update(things)
    own = bool(verdict) and not isinstance(verdict, _General)  # the hint of that very mistake
    if (not verdict or (not own and "NoneType" in verdict)) and (silent := _without_return(answer)):
        verdict = f"Nothing comes out of `{silent}`: it has no `return`."
    print(" ".join(part for part in (NOT_YET, verdict, "" if own else hint) if part))


def yours(mine: Thing, ours: Thing) -> Thing:
    """The learner's function, class or net where it has passed a check in this kernel, else ours.

    Prints which of the two it is.
    """
    name = getattr(ours, "__name__", type(ours).__name__)
    if _remembered(mine) and mine in _passed:
        print(f"Going on with your {name}.")
        return mine
    print(f"Going on with our {name}: yours has not passed its check yet.")
    return ours


def unanswered(answer: object) -> bool:
    """Whether dots are left in an answer, or in the source of what it is."""
    for part in _parts(answer):
        if part is ... or (isinstance(part, str) and part.strip() in ("...", "\u2026", "")):
            return True
        if any(_gaps(function) for function in _functions(part)):
            return True
        if isinstance(part, type) and any(value is ... for value in vars(part).values()):
            return True
    return False


def has_dots(node: ast.AST) -> bool:
    """Whether `...` stands anywhere in a piece of syntax, other than as an index: `x[..., 0]`."""
    if isinstance(node, ast.Subscript):
        index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return any(has_dots(part) for part in (node.value, *index) if not _is_dots(part))
    return _is_dots(node) or any(map(has_dots, ast.iter_child_nodes(node)))


def _is_dots(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


class _General(str):
    """What is told of a whole kind of mistake; the check's own hint follows it."""


def _verdict(answer: object, truth: object, tolerance: float) -> str | bool:
    """True, or what is known of the mistake; "" when nothing is."""
    if any(part is None for part in _parts(answer)):
        return _General("That is None: is there a `return` at the end of your function?")
    if callable(truth):
        return _asked(answer, truth)
    if isinstance(truth, str):
        return isinstance(answer, str) and answer.strip().lower() == truth.strip().lower() or ""
    if isinstance(answer, str):
        return _General("That is a text: give a number, without quotes.")
    if callable(answer) and not isinstance(answer, torch.Tensor):
        return _General("That is a function: call it, and give what it returns.")
    mine, its = _numbers(answer), _numbers(truth)
    if mine.shape != its.shape:
        return _General(f"Its shape is {mine.shape}, and {its.shape} is asked for.")
    if not np.isfinite(mine).all():
        return _General("It holds nan or inf.")
    if _near(mine, its, tolerance):
        return True
    percent = its.size == 1 and 0 < abs(its) <= 1 < abs(mine)
    if percent and _near(mine / 100, its, max(tolerance, 0.02)):
        return _General(_PERCENT)
    return ""


_PERCENT = "If that is percent, give a fraction: 50 % is 0.5."


def _asked(answer: object, truth: Callable[..., object]) -> str | bool:
    """What a function that knows the truth says of an answer."""
    try:
        said = truth(answer)
    except Exception:
        if isinstance(answer, str):
            return _General("That is a text, and something else is asked for.")
        raise
    if isinstance(said, str):
        return said
    if said:
        return True
    number = isinstance(answer, (int, float)) and not isinstance(answer, bool)
    try:
        percent = number and 1 < answer <= 100 and truth(answer / 100) is True  # type: ignore
    except Exception:
        percent = False
    return _General(_PERCENT) if percent else ""


def _near(mine: np.ndarray, its: np.ndarray, tolerance: float) -> bool:
    largest = np.abs(its).max(initial=0)
    return bool((np.abs(mine - its) <= tolerance * (largest or 1)).all())


def _numbers(value: object) -> np.ndarray:
    """A number, list, array or tensor as float64."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    elif isinstance(value, (list, tuple)):
        value = [_numbers(part) for part in value]
    return np.asarray(value, dtype=np.float64)


# what was written ---------------------------------------------------------------------------------


def _parts(answer: object) -> Iterator[object]:
    """The answers in an answer: itself, or those of a list, tuple or dict."""
    if isinstance(answer, dict):
        answer = list(answer.values())
    if not isinstance(answer, (list, tuple)):
        yield answer
        return
    for part in answer:
        yield from _parts(part)


def _remembered(thing: object) -> bool:
    """Whether a check remembers it: values have no identity, functions, classes and nets do."""
    return isinstance(thing, (FunctionType, type, torch.nn.Module))


def _functions(thing: object) -> Iterator[FunctionType]:
    """A function, or those that a class or the class of a net defines; none of other packages."""
    if isinstance(thing, torch.nn.Module):
        thing = type(thing)
    if isinstance(thing, type):
        for value in vars(thing).values():
            inner = getattr(value, "__func__", getattr(value, "fget", value))
            yield from _functions(inner) if not isinstance(inner, type) else ()
        return
    if callable(thing):
        thing = inspect.unwrap(thing)
    if isinstance(thing, FunctionType) and "-packages" not in thing.__code__.co_filename:
        yield thing


def _gaps(function: FunctionType) -> bool:
    """Whether its source, or the notebook cell that it stands in, holds dots outside an index."""
    tree = _tree(function, cell=True)
    if tree is None:  # what was compiled
        return any(constant is ... for code in _codes(function) for constant in code.co_consts)
    return has_dots(tree)


def _without_return(answer: object) -> str:
    """The name of the first function, or `forward` of a net, that never returns a value."""
    for part in _parts(answer):
        for function in _functions(part):
            if isinstance(part, FunctionType) or function.__name__ == "forward":
                tree = _tree(function)
                if tree and not any(_gives(node) for node in ast.walk(tree)):
                    return function.__name__
    return ""


def _gives(node: ast.AST) -> bool:
    given = isinstance(node, ast.Return) and node.value is not None
    return given or isinstance(node, (ast.Lambda, ast.Yield, ast.YieldFrom))


def _tree(function: FunctionType, *, cell: bool = False) -> ast.Module | None:
    """The syntax of a function, or of its notebook cell; None where its source is not to be had."""
    path = function.__code__.co_filename
    try:
        lines = linecache.getlines(path) if cell and _of_a_cell(path) else None
        return ast.parse("".join(lines) if lines else textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None


def _of_a_cell(path: str) -> bool:
    """Whether code comes from a notebook cell: IPython names files that are not there."""
    return not os.path.exists(path)


def _codes(function: FunctionType) -> list[CodeType]:
    """What was compiled of a function: itself, and the functions inside."""
    found = [function.__code__]
    for code in found:
        found += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return found


def _told(error: Exception, answer: object) -> str:
    """One line about an exception: the learner's own line that led to it, its kind, its text."""
    own = {code for p in _parts(answer) for f in _functions(p) for code in _codes(f)}
    where, inside, step = "", False, error.__traceback__
    while step:
        code = step.tb_frame.f_code
        inside = inside or code in own
        if inside and (code in own or _of_a_cell(code.co_filename)):
            line = linecache.getline(code.co_filename, step.tb_lineno).strip()
            where = f"At `{line}`: " if line else where
        step = step.tb_next
    text = " ".join(str(error).split())
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    said = said.rstrip(".") if len(said) < 240 else f"{said[:236]} .."
    return _General(f"{where}{said}.")
