"""Who may open associations: with the node, and with the channels and translators that listen beside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from isocenter.app.settings import DicomSettings
from isocenter.domain.application_entity import ALL_SERVICES, ANY_HOST, AeService, RemoteAe, UserIdentityRule
from isocenter.identity.application_entity import AeTable
from isocenter.identity.authenticate import is_loopback


def ae_table(settings: DicomSettings, ae_title: str, hosts: Collection[str]) -> AeTable:
    """Return the AE table of a title that listens at some hosts."""
    is_local = all(map(is_loopback, hosts))
    return AeTable(
        ae_title=ae_title,
        remotes=settings.remotes,
        accepts_unknown_callers=is_local
        if settings.unknown_callers == "auto"
        else settings.unknown_callers == "accept",
        accepts_any_called_ae_title=settings.called_ae_title == "any",
        checks_addresses=settings.caller_address == "check",
        user_identity=UserIdentityRule(settings.user_identity),
    )


def only_callers(table: AeTable, callers: Collection[str], *, services: frozenset[AeService] = ALL_SERVICES) -> AeTable:
    """Return a table that lets in, of those whom it let in before, the callers that are named; all where none is.

    One of them that is not known may call where unknown callers may, and may ask for `services`.
    """
    if not callers:
        return table
    known = tuple(remote for remote in table.remotes if remote.ae_title in callers)
    named = {remote.ae_title for remote in known}
    others = (RemoteAe(title, ANY_HOST, services=services) for title in callers if title not in named)
    return replace(
        table,
        remotes=(*known, *(others if table.accepts_unknown_callers else ())),
        accepts_unknown_callers=False,
    )
