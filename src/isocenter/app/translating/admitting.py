"""Who may call a translator: of those whom the node lets in, the callers that it names."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.app.settings import DicomSettings
from isocenter.domain.application_entity import ANY_HOST, RemoteAe, UserIdentityRule
from isocenter.identity.application_entity import AeTable
from isocenter.identity.authenticate import is_loopback
from isocenter.routing.configuration.translator import Translator


def callers_table(translator: Translator, settings: DicomSettings) -> AeTable:
    """Return the AE table of a translator; it answers under its own title only, for others have other archives."""
    accepts_unknown = settings.unknown_callers == "accept" or (
        settings.unknown_callers == "auto" and is_loopback(translator.listen.host)
    )
    return AeTable(
        ae_title=translator.listen.ae_title,
        remotes=_remotes(translator.callers, settings.remotes, accepts_unknown=accepts_unknown),
        accepts_unknown_callers=accepts_unknown and not translator.callers,
        checks_addresses=settings.caller_address == "check",
        user_identity=UserIdentityRule(settings.user_identity),
    )


def _remotes(callers: Sequence[str], remotes: tuple[RemoteAe, ...], *, accepts_unknown: bool) -> tuple[RemoteAe, ...]:
    if not callers:
        return remotes
    known = tuple(remote for remote in remotes if remote.ae_title in callers)
    named = {remote.ae_title for remote in known}
    others = (RemoteAe(title, ANY_HOST) for title in callers if title not in named)
    return (*known, *(others if accepts_unknown else ()))
