"""Rules tried on a file that somebody dropped, as `isocenter rule try` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from isocenter.app.channels.desk import RunningDesk
from isocenter.app.rule_trying import Arrival, Left, choose_channels, tried_json, try_rules
from isocenter.domain.errors import InvalidRequest
from isocenter.web.pages.router_configuration_text import parsed
from isocenter.web.pages.router_needs import TriedFile


@dataclass(frozen=True, slots=True)
class NodeRuleTrial:
    """Trials by the configuration of a running node, or by one that is given (`web.pages.router_needs.RuleTrial`)."""

    desk: RunningDesk
    now: Callable[[], datetime]

    def run(self, file: TriedFile, *, text: str | None, channel: str) -> Sequence[Mapping[str, Any]]:
        """Return what each channel would do with a file."""
        configuration = self.desk.current.configuration if text is None else parsed(text)
        channels = choose_channels(configuration, channel or None)
        arrival = Arrival(
            self.now().astimezone(), file.calling_ae_title or None, file.called_ae_title or None, file.address or None
        )
        tried = list(try_rules(configuration, channels, [Path(file.path)], arrival, Left(), makes_changes=True))
        if not tried:
            raise InvalidRequest("This is no DICOM file: it has no DICM behind its first 128 bytes.")
        return [tried_json(one, with_values=True) for one in tried]
