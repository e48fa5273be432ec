"""What the folder of a hospital was given of its first images. Light: a start looks here before it loads what draws."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

STATE_FILE = "first-images.json"


@dataclass(frozen=True, slots=True)
class Given:
    """What a folder was given."""

    today: str = ""
    """The day of the first start, with its time, in ISO 8601."""
    has_recent: bool = False
    has_generated: bool = False

    @property
    def is_all(self) -> bool:
        """Tell whether nothing is missing."""
        return self.has_recent and self.has_generated


def read_given(folder: Path) -> Given:
    """Return what a folder was given, nothing on the first start."""
    try:
        found = Given(**json.loads((folder / STATE_FILE).read_text(encoding="utf-8")))
        datetime.fromisoformat(found.today)
    except (OSError, ValueError, TypeError):
        return Given()
    return found


def remember(folder: Path, given: Given) -> Given:
    """Keep what a folder was given."""
    path = folder / STATE_FILE
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(given)), encoding="utf-8")
    partial.replace(path)
    return given
