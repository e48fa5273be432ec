"""What a service has acknowledged, so that a second run sends only what is missing.

One line of JSON for each file, appended when the service has it. A line that a crash tore is left
out; its file is sent again, which harms nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from isocenter.app.part10_files import FoundFile
from isocenter.domain.errors import InvalidRequest

VERSION = 1
LINE_LENGTH_MAX = 64 * 1024
"""A path has 4,096 bytes at most; a longer line is none of ours."""
_DIGEST_SIZE = 16


def default_journal_path(url: str, paths: Sequence[Path]) -> Path:
    """Return where the journal of sending these paths to this service lies: in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    key = "\n".join([url, *sorted(os.path.abspath(path) for path in paths)])
    name = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:32]
    return Path(state) / "isocenter" / "store" / f"{name}.jsonl"


class Journal:
    """The acknowledged files of one service. Use it as a context manager."""

    def __init__(self, path: Path, *, url: str) -> None:
        """Open or begin a journal.

        Raises InvalidRequest where the file is no journal, or one of another service.
        """
        self.path = path
        self._acknowledged: set[bytes] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        is_torn = self._read(url) if path.exists() and path.stat().st_size else False
        self._file = path.open("a", encoding="utf-8", errors="surrogateescape")
        if path.stat().st_size == 0:
            self._write({"journal": VERSION, "url": url})
        elif is_torn:
            self._file.write("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._acknowledged)

    def __contains__(self, file: FoundFile) -> bool:
        return _digest(file) in self._acknowledged

    def add(self, files: Sequence[FoundFile]) -> None:
        """Note that the service has these files."""
        for file in files:
            self._acknowledged.add(_digest(file))
            self._write({"path": file.path, "size": file.size_bytes, "mtime_ns": file.modified_ns})
        self._file.flush()

    def _write(self, line: dict[str, object]) -> None:
        self._file.write(json.dumps(line) + "\n")

    def _read(self, url: str) -> bool:
        """Take in what is there; tell whether the last line is torn."""
        line = ""
        with self.path.open(encoding="utf-8", errors="surrogateescape") as lines:
            head = _parse(lines.readline(LINE_LENGTH_MAX))
            if head.get("journal") != VERSION:
                raise InvalidRequest(f"{self.path} is no journal of `isocenter store`; name another with --journal.")
            if head.get("url") != url:
                raise InvalidRequest(f"{self.path} is the journal of another archive; name another with --journal.")
            while line_or_end := lines.readline(LINE_LENGTH_MAX):
                line = line_or_end
                entry = _parse(line)
                path, size, modified = entry.get("path"), entry.get("size"), entry.get("mtime_ns")
                if isinstance(path, str) and isinstance(size, int) and isinstance(modified, int):
                    self._acknowledged.add(_digest(FoundFile(path, size, modified)))
        return bool(line) and not line.endswith("\n")


def _parse(line: str) -> dict[str, object]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _digest(file: FoundFile) -> bytes:
    text = f"{file.path}\0{file.size_bytes}\0{file.modified_ns}"
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=_DIGEST_SIZE).digest()
