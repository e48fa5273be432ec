"""Where the node of a data folder listens, noted in the folder while it runs, so that commands find it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

FILE = "listens-at"
SIZE_MAX_BYTES = 4096
"""More than two addresses take."""


@contextmanager
def noting_addresses(data_dir: Path, urls: Sequence[str]) -> Iterator[None]:
    """Note addresses for the length of a block. A note that a kill left behind names nobody who answers."""
    path = data_dir / FILE
    with suppress(OSError):  # commands can be told the address as well
        path.write_text("".join(f"{url}\n" for url in urls))
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()


def noted_addresses(data_dir: Path) -> list[str]:
    """Return the addresses that the node of a folder noted, none where it does not run."""
    try:
        with (data_dir / FILE).open(encoding="utf-8", errors="replace") as file:
            return [line for line in file.read(SIZE_MAX_BYTES).split("\n") if line.startswith(("http://", "https://"))]
    except OSError:
        return []
