"""The change feed, the latest first, and the partitions."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.web.console.console import Console, Visit
from isocenter.web.pages.service import FEED, PARTITIONS, ROWS, number_of, service_page
from isocenter.web.pages.service_desk import ServiceDesk


def feed_routes(console: Console, desk: ServiceDesk) -> list[BaseRoute]:
    """Return the routes of the feed and of the partitions."""

    def feed(visit: Visit) -> Response:
        latest = desk.latest_sequence(visit.principal)
        last = min(number_of(visit, "until", latest), latest)
        rows = desk.changes(visit.principal, after=max(0, last - ROWS), limit=min(ROWS, last))
        values = {
            "rows": list(reversed(rows)),
            "latest": latest,
            "last": last,
            "newer": min(last + ROWS, latest) if last < latest else None,
            "older": last - ROWS if last > ROWS else None,
            "path": FEED,
        }
        return service_page(console, visit, "service_feed.html", values, tab="feed")

    def partitions(visit: Visit) -> Response:
        values = {"rows": desk.partitions(visit.principal), "has_partitions": desk.has_partitions}
        return service_page(console, visit, "service_partitions.html", values, tab="partitions")

    return [
        console.get(FEED, feed, name="service-feed"),
        console.get(PARTITIONS, partitions, name="service-partitions"),
    ]
