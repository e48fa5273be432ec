"""How files and folders in a ZIP file are called: readable, alike for people and systems, never harmful.

Names come from attributes, so from strangers: nothing of them may lead out of the folder, hide, or mean a device.
"""

from __future__ import annotations

import unicodedata

NAME_LENGTH_MAX = 60
"""Of one folder; four of them and a file stay below what Windows takes for a path."""
NAME_LENGTH_MAX_BYTES = 120
"""In UTF-8; file systems take 255."""
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
)
_KEPT = frozenset(" -_.,()")


def safe_name(text: str, *, otherwise: str) -> str:
    """Return a name that any file system takes; `otherwise` where nothing of the text can stand in one."""
    normal = unicodedata.normalize("NFC", text)
    letters = "".join(letter if letter.isalnum() or letter in _KEPT else "_" for letter in normal)
    name = " ".join(letters.split())[:NAME_LENGTH_MAX].strip(" ._")
    while len(name.encode("utf-8")) > NAME_LENGTH_MAX_BYTES:
        name = name[:-1].strip(" ._")
    if not name:
        return otherwise
    return f"{name}_" if name.split(".", maxsplit=1)[0].lower() in _DEVICES else name


class UniqueNames:
    """Gives each name once, whatever the case: file systems differ in that."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], int] = {}

    def give(self, folder: str, name: str) -> str:
        """Return the name, or the name with a number where it was given in that folder before."""
        key = (folder, name.casefold())
        number = self._given.get(key, 0) + 1
        self._given[key] = number
        return name if number == 1 else self.give(folder, f"{name} ({number})")
