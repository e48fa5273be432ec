"""What all pages of the router have: their tabs, and the totals that add up, at the foot of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from isocenter.domain.delivery import NOWHERE
from isocenter.domain.delivery_counters import Counters
from isocenter.ports.ledger import Tally
from isocenter.routing.sending.status import describe_size
from isocenter.web.api.router_json import sum_counters
from isocenter.web.console.console import Console, Visit
from isocenter.web.console.section import ROUTER
from isocenter.web.pages.router_needs import RouterNeeds

OVERVIEW, DELIVERIES, STUDIES, SHELF = "/router", "/router/deliveries", "/router/studies", "/router/shelf"
TRY, CONFIGURATION, REPLAY = "/router/try", "/router/configuration", "/router/replay"
UNDER_WAY, PREFETCH, WORKLIST = "/router/under-way", "/router/prefetch", "/router/worklist"
Tab = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Totals:
    """The counters of everything, as the foot of each page shows them."""

    counters: Counters
    sent_nowhere: int
    waiting: str
    """In bytes, in words."""


def totals_of(tallies: list[Tally]) -> Totals:
    """Return what tallies come to together."""
    return Totals(
        sum_counters(one.counters for one in tallies),
        sum(one.counters.received for one in tallies if one.destination == NOWHERE),
        describe_size(sum(one.waiting_bytes for one in tallies)),
    )


@dataclass(frozen=True, slots=True)
class RouterFrame:
    """Makes the pages of the router."""

    console: Console
    needs: RouterNeeds

    def page(
        self, visit: Visit, template: str, values: Mapping[str, object], *, tab: str, status_code: int = 200
    ) -> Response:
        """Return a page of the router; `tab` is the key of the one it belongs to."""
        frame = {
            "tabs": self._tabs(),
            "tab": tab,
            "totals": totals_of(self.needs.desk.ledger.tallies()),
            "address": _address(visit),
        }
        return self.console.page(visit, template, {**frame, **values}, section=ROUTER.key, status_code=status_code)

    def _tabs(self) -> list[Tab]:
        needs = self.needs
        always = [
            ("channels", "Channels", OVERVIEW),
            ("studies", "Studies sent", STUDIES),
            ("deliveries", "Deliveries", DELIVERIES),
            ("shelf", "Needs a person", SHELF),
        ]
        tables = [
            (needs.completeness, ("under-way", "Studies under way", UNDER_WAY)),
            (needs.prefetch, ("prefetch", "Prefetch", PREFETCH)),
            (needs.worklist, ("worklist", "Work list", WORKLIST)),
        ]
        rules = [
            ("try", "Try rules", TRY),
            ("configuration", "Configuration", CONFIGURATION),
            ("replay", "Replay", REPLAY),
        ]
        return [*always, *(tab for table, tab in tables if table is not None), *rules]


def _address(visit: Visit) -> str:
    """Return where the page can be fetched anew, without what is told only once."""
    request = visit.request
    path = request.url.path
    if not path.startswith(visit.prefix + OVERVIEW) or not visit.prefix:
        path = visit.prefix + path
    query = "&".join(part for part in request.url.query.split("&") if part and not part.startswith("told="))
    return path + ("?" + query if query else "")
