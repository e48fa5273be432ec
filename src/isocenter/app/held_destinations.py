"""Which destinations people put aside: a file of the data folder, so that a restart does not let them go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import orjson

from isocenter.app.channels.durable_file import replace_file
from isocenter.domain.errors import StorageFailed
from isocenter.routing.sending.condition import Hold

HOLDS_FILE = "held-destinations.json"


class HeldDestinations:
    """Keep holds by the name of their destination."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / HOLDS_FILE

    def read(self) -> Mapping[str, Hold]:
        """Return what is held; raises StorageFailed where the file cannot be read: nothing is let go by accident."""
        try:
            kept = orjson.loads(self._path.read_bytes())
            return {name: Hold(**hold) for name, hold in kept.items()}
        except FileNotFoundError:
            return {}
        except (OSError, orjson.JSONDecodeError, AttributeError, TypeError) as error:
            raise StorageFailed(
                f"{self._path} says which destinations are held and cannot be read; mend or remove it."
            ) from error

    def write(self, holds: Mapping[str, Hold]) -> None:
        """Keep what is held, durably; raises StorageFailed."""
        replace_file(self._path, orjson.dumps({name: asdict(hold) for name, hold in holds.items()}), mode=0o666)
