"""Join the studies' pages with the archive."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.archive.search import count, search
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query, SearchRow
from isocenter.web.console.console import Console
from isocenter.web.pages.download import download_routes
from isocenter.web.pages.instance import instance_page_routes
from isocenter.web.pages.studies import StudyOffers, study_routes
from isocenter.web.pages.study import StudyPages, no_more, study_page_routes
from isocenter.web.pages.study_delete import delete_routes
from isocenter.web.pages.study_send import send_routes
from isocenter.web.pages.study_share import share_routes, share_values
from isocenter.web.pages.upload import upload_routes

if TYPE_CHECKING:
    from isocenter.app.console.opening import ConsoleNeeds


def studies_section(console: Console, needs: ConsoleNeeds) -> list[BaseRoute]:
    """Return the routes of patients, studies, series and instances, and of what is done with them."""
    archive, audit = needs.archive, needs.parts.audit
    sends = needs.parts.sends
    can_send = sends is not None and bool(sends.places())
    shares = needs.identity.shares
    more = no_more if shares is None else partial(share_values, shares)
    pages = StudyPages(archive, can_send=can_send, more=more)
    return [
        *study_routes(console, ArchiveDirectory(archive), offers=StudyOffers(can_send)),
        *study_page_routes(console, pages),
        *instance_page_routes(console, pages, audit=audit),
        *upload_routes(console, archive, audit=audit),
        *download_routes(console, archive, audit=audit),
        *delete_routes(console, archive, audit=audit),
        *([] if shares is None else share_routes(console, archive, shares, audit=audit)),
        *([] if sends is None else send_routes(console, archive, sends, audit=audit)),
    ]


@dataclass(frozen=True, slots=True)
class ArchiveDirectory:
    """The archive's searches as the console asks for them."""

    archive: Archive

    def search(self, principal: Principal, query: Query) -> list[SearchRow]:
        """Return the rows that match."""
        return search(self.archive, principal, query)

    def count(self, principal: Principal, query: Query) -> int:
        """Return how many rows match."""
        return count(self.archive, principal, query)
