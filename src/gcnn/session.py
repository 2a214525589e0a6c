"""A student's session: what to run where a name is missing, and which of the course's names mean something else now.

The set-up cell calls `begin`. Nothing here changes what code computes.
"""

from types import ModuleType, TracebackType
from typing import Any

from gcnn.locate import session_names
from gcnn.released import Released, release

_ROLES = ("answer", "given", "training", "playground")  # of the cells that define names, the surest first
_SHORTEST = 3  # letters: x is everybody's
_given: dict[str, Any] = {}


def begin() -> None:
    """Remember what the set-up cells have given, and from now on let an error for a missing name say what to run.

    Outside of IPython there is nothing to do.
    """
    names = session_names()
    if not names:
        return
    set_up = [name for cell in release().cells.values() if cell.role == "given" for name in cell.defines]
    _given.clear()
    _given.update({name: names[name] for name in set_up if name in names and _of_the_course(names[name])})
    shell = names["get_ipython"]()
    if not shell.custom_exceptions:  # somebody else's way to show errors, Colab's perhaps, stays
        shell.set_custom_exc((NameError,), _explained)


def _of_the_course(thing: object) -> bool:
    """Whether a thing is PyTorch's or the course's own, and so not a student's."""
    if isinstance(thing, ModuleType):
        home = thing.__name__
    else:
        home = getattr(thing, "__module__", None) or type(thing).__module__
    return home.partition(".")[0] in ("gcnn", "torch")


def redefined() -> list[str]:
    """The names that the set-up cells have given and that mean something else by now."""
    names = session_names()
    return [name for name, given in _given.items() if names.get(name, given) is not given]


def about_redefined() -> str:
    """What to say of them, in a sentence; empty if there are none."""
    if not (names := redefined()):
        return ""
    means, it = ("mean", "them") if len(names) > 1 else ("means", "it")
    return (
        f"{' and '.join(names)} no longer {means} what the course gave you: cells that use {it} may fail or mislead. "
        "The grader uses the course's own: give yours another name, and run the two set-up cells again."
    )


def where(name: str) -> str:
    """What to run so that a name is defined, in a sentence; empty if the course does not define it."""
    cells = [cell for cell in release().cells.values() if name in cell.defines]
    cell = min(cells, key=lambda cell: _ROLES.index(cell.role), default=None)
    if cell is None or (len(name) < _SHORTEST and cell.role != "answer"):
        return ""
    again = "after a restart, run every cell above this one (trainings are loaded; where a cell fails, go on below it)"
    return f"Run {_called(cell)} first; {again}"


def _called(cell: Released) -> str:
    exercise = release().exercises.get(cell.exercise)
    if exercise is not None:
        return f"the training of {exercise.name}" if cell.role == "training" else f"your answer to exercise {exercise}"
    return f"the cell that begins with `{cell.begins}`"


def _explained(shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: int | None) -> None:
    """Show an error as ever, with what to run."""
    if type(error) is NameError and (what := where(error.name or "")):
        error.args = (f"{error.args[0]}. {what}.",)
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
