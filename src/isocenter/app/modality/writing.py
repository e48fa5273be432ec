"""A study of a device as files in a folder."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.devices.acquisition import Acquisition


def write_study(folder: Path, acquisition: Acquisition, *, on_file: Callable[[int], None]) -> list[tuple[Path, int]]:
    """Write the instances of a study into a folder, and return the files with their sizes in bytes.

    `on_file` is told how many are written. Raises InvalidRequest where the folder holds something, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InvalidRequest(f"{folder} is not empty; name a folder that is new.")
    written: list[tuple[Path, int]] = []
    late = acquisition.iter_late_images() if acquisition.number_of_late_images else iter(())
    for number, instance in enumerate(chain(acquisition.iter_images(), late), start=1):
        path = folder / f"{acquisition.profile.modality}-{number:05d}.dcm"
        with path.open("xb") as file:
            for piece in instance.iter_file():
                file.write(piece)
        written.append((path, instance.size_bytes))
        on_file(number)
    return written
