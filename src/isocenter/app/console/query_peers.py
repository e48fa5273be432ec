"""The archives that Query/Retrieve can ask: the AE table of the node, and what the router's configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

from isocenter.app.settings import DicomSettings
from isocenter.dicomweb.client.answers import public_name
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.errors import NotFound
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.destination import Destination, DimseTarget, WebTarget
from isocenter.web.pages.query_exchange import PeerKind, PeerRow

WEB_KEY = "web:"
"""Before the name of a destination; no AE title with an address behind it looks so."""


@dataclass(frozen=True, slots=True)
class DimsePeer:
    """An application entity that can be asked."""

    row: PeerRow
    remote: RemoteAe


@dataclass(frozen=True, slots=True)
class WebPeer:
    """A DICOMweb service that can be asked."""

    row: PeerRow
    target: WebTarget


Peer = DimsePeer | WebPeer


class Peers:
    """All of them, as the configuration has them now."""

    def __init__(self, settings: DicomSettings, configuration: Callable[[], Configuration]) -> None:
        self._settings = settings
        self._configuration = configuration

    def all(self) -> list[Peer]:
        """Return each archive once, in the order in which they are configured."""
        found: dict[str, Peer] = {}
        for peer in self._iter():
            found.setdefault(peer.row.key, peer)
        return list(found.values())

    def find(self, key: str) -> Peer:
        """Return the archive of a key; raises NotFound."""
        peer = next((one for one in self.all() if one.row.key == key), None)
        if peer is None:
            raise NotFound("This archive is not configured, or not any more; choose another.")
        return peer

    def _iter(self) -> Iterator[Peer]:
        for remote in self._settings.remotes:
            if remote.address is not None:
                yield _dimse_peer(remote, remote.ae_title, origin="AE table")
        for destination in self._configuration().destinations:
            if (peer := _peer_of(destination)) is not None:
                yield peer


def _peer_of(destination: Destination) -> Peer | None:
    """Return the archive that a destination is, None for folders and the node's own archive."""
    match destination.target:
        case DimseTarget(remote) if remote.address is not None:
            return _dimse_peer(remote, destination.name, origin="destination")
        case WebTarget(url) as target:
            name = destination.name
            row = PeerRow(WEB_KEY + name, name, PeerKind.WEB, public_name(httpx.URL(url)), "destination")
            return WebPeer(row, target)
        case _:
            return None


def _dimse_peer(remote: RemoteAe, name: str, *, origin: str) -> DimsePeer:
    address = str(remote.address)
    return DimsePeer(PeerRow(address, name, PeerKind.DIMSE, address, origin), remote)
