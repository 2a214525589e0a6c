"""Results that took long, kept in a file of lines, so that an interrupted run goes on where it stopped."""

import json
from collections import UserDict
from pathlib import Path
from typing import Any


class Kept(UserDict[str, Any]):
    """Plain data by name. What is put in stands in the file before anything else happens, a line each."""

    def __init__(self, path: Path | None):
        """Read what an earlier run left.

        Args:
            path: the file; it and its folder are made with the first result. None: nothing is kept.
        """
        super().__init__()
        self.path = path
        text = path.read_text(encoding="utf-8") if path and path.is_file() else ""
        self._cut = text != "" and not text.endswith("\n")
        for line in text.splitlines():
            try:
                name, value = json.loads(line)
                self.data[name] = value
            except (ValueError, TypeError):  # the line that an interrupted run was writing
                continue

    def __setitem__(self, name: str, value: Any) -> None:
        """Keep one more."""
        super().__setitem__(name, value)
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" * self._cut + json.dumps([name, value]) + "\n")
            self._cut = False
