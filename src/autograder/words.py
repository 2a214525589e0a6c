"""How several things are said in one line."""

from collections.abc import Iterable

MOST_NAMED = 12  # in a line


def listed(names: Iterable[str], most: int = MOST_NAMED) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])
