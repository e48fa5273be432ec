"""Open the ends of a migration by their addresses: a URL, AET@HOST:PORT, or a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from isocenter.app.dimse_peer import CALLING_AE_TITLE, RESPONSE_TIMEOUT_S, DimsePeer, TlsFiles
from isocenter.app.migrating.ends import Source, Target
from isocenter.app.migrating.folder_ends import DataFolderTarget, FolderSource, is_data_folder
from isocenter.app.migrating.moved_to_us import MovingSource
from isocenter.app.migrating.peer_end import PeerSource, PeerTarget
from isocenter.app.migrating.web_end import WebSource, WebTarget
from isocenter.app.peer import open_peer
from isocenter.app.settings import load_settings
from isocenter.app.web_archive import WebArchive
from isocenter.domain.application_entity import parse_ae_title, parse_remote_ae
from isocenter.domain.errors import InvalidRequest
from isocenter.storage.decoding.pool import DecodingPool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a DICOMweb service is shown."""

    token: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str = field(default="", repr=False)
    authority: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How the ends are reached; nothing of it is kept in the job."""

    calling_ae_title: str = CALLING_AE_TITLE
    tls_files: TlsFiles | None = None
    timeout_s: float = RESPONSE_TIMEOUT_S
    source: Evidence = Evidence()
    target: Evidence = Evidence()
    listens_on: tuple[str, int] | None = None
    """Where the source moves to us; None where it is asked by C-GET."""
    explicit_vr: bool = False
    """A DICOMweb target takes explicit VR little endian only."""
    work_folder: Path | None = None
    """For copies that are made for that; None for the machine's own."""


def is_url(address: str) -> bool:
    """Tell whether an address is that of a DICOMweb service."""
    return address.startswith(("http://", "https://"))


def normal_address(address: str) -> str:
    """Return an address as a job keeps it: folders by their whole path. Raises InvalidRequest."""
    if is_url(address):
        if "@" in urlsplit(address).netloc:
            raise InvalidRequest(
                "An address holds no user name and no password; show a token with --from-token, --to-token."
            )
        return address.rstrip("/")
    if "@" in address and not os.path.isdir(address):
        if parse_remote_ae(address).address is None:
            raise InvalidRequest(f"{address} has no port; a peer is written AET@HOST:PORT.")
        return address
    return os.path.abspath(address)


@contextmanager
def open_source(address: str, way: Way) -> Iterator[Source]:
    """Open a source for the length of a block."""
    with ExitStack() as stack:
        source: Source
        if is_url(address):
            source = WebSource(open_peer(_web(address, way.source, way)))
        elif "@" in address and not os.path.isdir(address):
            decoder = stack.enter_context(DecodingPool())
            peer = _peer(address, way)
            if way.listens_on is not None:
                source = MovingSource(peer, decoder, way.listens_on)
            else:
                source = PeerSource(peer, decoder)
        else:
            source = FolderSource(_folder(address))
        stack.callback(source.close)
        yield source


@contextmanager
def open_target(address: str, way: Way) -> Iterator[Target]:
    """Open a target for the length of a block."""
    with ExitStack() as stack:
        target: Target
        if is_url(address):
            client = open_peer(_web(address, way.target, way))
            target = WebTarget(client, takes_explicit_only=way.explicit_vr, work_folder=way.work_folder)
        elif "@" in address and not os.path.isdir(address):
            target = PeerTarget(_peer(address, way), stack.enter_context(DecodingPool()))
        else:
            target = DataFolderTarget(load_settings({"data_dir": address}, {}, None))
        stack.callback(target.close)
        yield target


def _web(url: str, evidence: Evidence, way: Way) -> WebArchive:
    return WebArchive(
        url,
        token=evidence.token,
        client_id=None if evidence.token else evidence.client_id,
        client_secret=evidence.client_secret,
        authority=evidence.authority,
        authorities=None if way.tls_files is None else way.tls_files.authorities,
    )


def _peer(address: str, way: Way) -> DimsePeer:
    peer = DimsePeer(parse_remote_ae(address), parse_ae_title(way.calling_ae_title), timeout_s=way.timeout_s)
    return peer.with_tls(way.tls_files or TlsFiles()) if peer.remote.uses_tls else peer


def _folder(address: str) -> Path:
    path = Path(address)
    if not path.is_dir():
        raise InvalidRequest(f"{address} is no folder; a source is a URL, AET@HOST:PORT or a folder of DICOM files.")
    if is_data_folder(path):
        raise InvalidRequest(
            f"{address} is the data folder of a node; start the node and name its address, or `isocenter export` it."
        )
    return path
