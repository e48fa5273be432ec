"""Give every destination its sender, by its kind; what is learnt of a destination is shared by its workers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from isocenter.app.secrets_by_name import ReadSecret
from isocenter.app.senders.converting import Converter
from isocenter.app.senders.dicomweb import WebSender
from isocenter.app.senders.dimse import DimseSender, OwnSide
from isocenter.app.senders.dimse_lane import PeerKnowledge
from isocenter.app.senders.folder import FolderSender
from isocenter.app.senders.own_archive import ArchiveSender
from isocenter.app.senders.stow_batch import Service, ServiceKnowledge
from isocenter.app.web_target import authentication_of, tls_of
from isocenter.archive.archive import Archive
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.credentials import ClientCredentials
from isocenter.domain.errors import InvalidSetting
from isocenter.routing.configuration.destination import (
    ArchiveTarget,
    Destination,
    DimseTarget,
    FolderTarget,
    OAuthAuthentication,
    WebTarget,
)
from isocenter.routing.deliveries.sender import Sender


@dataclass(slots=True)
class _Shared:
    """What the workers of a destination share for as long as it is configured so."""

    destination: Destination
    peer: PeerKnowledge = field(default_factory=PeerKnowledge)
    service: ServiceKnowledge = field(default_factory=ServiceKnowledge)
    secret: str = ""
    """With which the tokens are got: another one begins anew."""
    tokens: ClientCredentials | None = None


class Senders:
    """Opens senders; called by many threads."""

    def __init__(
        self, archive: Archive, own: OwnSide, *, read_secret: ReadSecret, spool_dir: Path | None = None
    ) -> None:
        """Make one; `own` is as whom associations are opened, `spool_dir` where conversions of large ones lie."""
        self._archive = archive
        self._own = own
        self._read_secret = read_secret
        self._converter = Converter(archive.decoder, spool_dir)
        self._lock = threading.Lock()
        self._shared: dict[str, _Shared] = {}

    def open(self, destination: Destination) -> Sender:
        """Return a sender, which opens connections when it needs them; raises InvalidSetting.

        What the configuration names must be there: secrets, certificates, keys.
        """
        shared = self._shared_by(destination)
        target = destination.target
        match target:
            case DimseTarget():
                return DimseSender(target, self._own, self._converter, shared.peer)
            case WebTarget():
                return WebSender(self._service(destination, target, shared))
            case FolderTarget(path):
                return FolderSender(Path(path), on_conflict=destination.on_conflict)
            case ArchiveTarget(partition):
                return ArchiveSender(self._archive, partition, on_conflict=destination.on_conflict)

    def _shared_by(self, destination: Destination) -> _Shared:
        with self._lock:
            shared = self._shared.get(destination.name)
            if shared is None or shared.destination != destination:
                shared = self._shared[destination.name] = _Shared(destination)
            return shared

    def _service(self, destination: Destination, target: WebTarget, shared: _Shared) -> Service:
        auth, renew = self._authentication(target, shared)
        client = DicomwebClient(target.url, auth=auth, tls=tls_of(target, self._read_secret))
        return Service(target, client, self._converter, shared.service, destination.on_conflict, renew)

    def _authentication(
        self, target: WebTarget, shared: _Shared
    ) -> tuple[httpx.Auth | None, Callable[[], None] | None]:
        """Return what shows who calls, and what has tokens renewed; those are got once for all workers."""
        chosen = target.authentication
        if not isinstance(chosen, OAuthAuthentication):
            return authentication_of(target, self._read_secret), None
        secret = self._read_secret(chosen.client_secret)
        with self._lock:
            if shared.tokens is None or shared.secret != secret:
                tokens = authentication_of(target, self._read_secret, tls=tls_of(target, self._read_secret))
                if not isinstance(tokens, ClientCredentials):
                    raise InvalidSetting("The destination names no client credentials.")
                shared.tokens, shared.secret = tokens, secret
            return shared.tokens, shared.tokens.renew
