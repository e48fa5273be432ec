"""Which deliveries a page shows, as its address says it, and the selection that this means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from isocenter.domain.delivery import DeliveryState
from isocenter.ports.ledger import Selection
from isocenter.web.api.router_json import parse_selection

TEXT_LENGTH_MAX = 256
NAMES = ("channel", "destination", "state", "note", "study", "series", "instance")


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """The state of a list of deliveries; the names of the fields are those in its address."""

    channel: str = ""
    destination: str = ""
    state: str = ""
    note: str = ""
    study: str = ""
    series: str = ""
    instance: str = ""

    @property
    def is_empty(self) -> bool:
        """Tell whether it lets every delivery through."""
        return self == DeliveryFilter()

    @property
    def is_only_state(self) -> bool:
        """Tell whether it says nothing but a state: too much to act on at once."""
        return replace(self, state="") == DeliveryFilter()

    def fields(self) -> dict[str, str]:
        """Return what is asked for, by name."""
        named = {name: str(getattr(self, name)) for name in NAMES}
        return {name: value for name, value in named.items() if value}

    def query(self, **changes: str) -> str:
        """Return the query string of this filter with some of it changed."""
        return urlencode(replace(self, **changes).fields())

    def selection(self) -> Selection:
        """Return the deliveries that it means. Raises InvalidRequest."""
        raw: dict[str, object] = {name: value for name, value in self.fields().items() if name != "state"}
        if self.state:
            raw["states"] = [self.state]
        return parse_selection(raw)


def parse_delivery_filter(parameters: Mapping[str, str]) -> DeliveryFilter:
    """Return the filter that an address or a form holds; what is unknown is left out."""
    texts = {name: parameters.get(name, "").strip()[:TEXT_LENGTH_MAX] for name in NAMES}
    if texts["state"] not in set(DeliveryState):
        texts["state"] = ""
    return DeliveryFilter(**texts)
