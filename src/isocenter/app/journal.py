"""What a service has acknowledged, so that a second run sends only what is missing.

One line of JSON for each file, appended when the service has it. A line that a crash tore is left
out; its file is sent again, which harms nothing. A service may have lost what it acknowledged (another
archive at the same address, a folder begun anew), so a journal names a few instances to ask for first.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from isocenter.app.part10_files import FoundFile
from isocenter.domain.errors import InvalidRequest

VERSION = 1
LINE_LENGTH_MAX = 64 * 1024
"""A path has 4,096 bytes at most; a longer line is none of ours."""
SAMPLES_MAX = 5
"""So many of the first and of the last instances are asked for: milliseconds, and an archive begun anew is seen."""
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
        self._url = url
        self._acknowledged: set[bytes] = set()
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=SAMPLES_MAX)
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

    @property
    def samples(self) -> list[str]:
        """Return SOP Instance UIDs of the first and the last files that the service acknowledged."""
        return list(dict.fromkeys([*self._first, *self._last]))

    def add(self, files: Sequence[tuple[FoundFile, str | None]]) -> None:
        """Note that the service has these files, with their SOP Instance UIDs where they are known."""
        for file, sop_instance_uid in files:
            self._remember(file, sop_instance_uid)
            entry = {"path": file.path, "size": file.size_bytes, "mtime_ns": file.modified_ns, "sop": sop_instance_uid}
            self._write(entry)
        self._file.flush()

    def forget(self) -> None:
        """Begin anew, with nothing acknowledged."""
        self._acknowledged.clear()
        self._first.clear()
        self._last.clear()
        self._file.truncate(0)
        self._write({"journal": VERSION, "url": self._url})
        self._file.flush()

    def _remember(self, file: FoundFile, sop_instance_uid: object) -> None:
        self._acknowledged.add(_digest(file))
        if isinstance(sop_instance_uid, str):
            self._last.append(sop_instance_uid)
            if len(self._first) < SAMPLES_MAX:
                self._first.append(sop_instance_uid)

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
                    self._remember(FoundFile(path, size, modified), entry.get("sop"))
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
