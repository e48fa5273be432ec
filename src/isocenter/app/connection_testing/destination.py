"""Test the connection to a destination, whatever kind it is: of the configuration, or by its address."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from isocenter.app.connection_testing.network import STEP_TIMEOUT_S
from isocenter.app.connection_testing.peer import check_peer
from isocenter.app.connection_testing.service import ServiceUnderTest, check_service
from isocenter.app.dimse_peer import CALLING_AE_TITLE, DimsePeer, TlsFiles
from isocenter.app.peer import ROOTS, trusting
from isocenter.app.secrets_by_name import ReadSecret
from isocenter.app.web_archive import WebArchive
from isocenter.app.web_target import authentication_of, tls_of
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.credentials import ClientCredentials, ClientSecret
from isocenter.domain.errors import InvalidRequest, InvalidSetting, IsocenterError, NotFound
from isocenter.domain.identifiers import Level
from isocenter.routing.catalogue.entry import Side
from isocenter.routing.catalogue.lookup import explain_report
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.destination import (
    ArchiveTarget,
    BasicAuthentication,
    Destination,
    DimseTarget,
    FolderTarget,
    KeyAuthentication,
    NoAuthentication,
    OAuthAuthentication,
    WebTarget,
)
from isocenter.routing.connection_test.report import (
    ConnectionReport,
    OnStep,
    StepName,
    Steps,
    failed,
    failed_by,
    passed,
    skipped,
)
from isocenter.routing.deliveries.report import LocalFailed, LocalFault


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How destinations are tested."""

    now: datetime
    timeout_s: float = STEP_TIMEOUT_S
    stores: bool = False
    """A synthetic image is stored at a service and deleted again."""
    calling_ae_title: str = CALLING_AE_TITLE
    tls_files: TlsFiles | None = None
    """For DIMSE over TLS."""
    on_step: OnStep = lambda step: None
    """Is told of each step when it has been taken, for whoever watches."""


def find_destination(configuration: Configuration, name: str) -> Destination:
    """Return a destination of a configuration by its name; raises NotFound, naming those that are there."""
    found = next((one for one in configuration.destinations if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in configuration.destinations) or "none"
        raise NotFound(f"There is no destination {name}; there are: {known}.")
    return found


def check_destination(
    destination: Destination, circumstances: Circumstances, *, read_secret: ReadSecret
) -> ConnectionReport:
    """Test the connection to a destination of the configuration."""
    target = destination.target
    try:
        match target:
            case DimseTarget():
                peer = DimsePeer(target.remote, circumstances.calling_ae_title)
                return check_dimse(peer, circumstances, name=destination.name)
            case WebTarget():
                return _check_web(target, circumstances, name=destination.name, read_secret=read_secret)
            case FolderTarget():
                return _check_folder(destination.name, target.path)
            case ArchiveTarget():
                step = skipped(
                    StepName.CONFIGURATION, "It is the node's own archive; `isocenter doctor` looks at that."
                )
                return ConnectionReport(destination.name, "this node", (step,))
    except InvalidSetting as error:
        entry = explain_report(LocalFailed(LocalFault.SECRET_MISSING))
        steps = Steps((StepName.CONFIGURATION,))
        steps.add(failed_by(StepName.CONFIGURATION, entry, told=error.message.rstrip(".")))
        return ConnectionReport(destination.name, _address(target), steps.finished())


def _address(target: object) -> str:
    match target:
        case WebTarget(url):
            return url
        case DimseTarget(remote):
            return str(remote.address or remote.ae_title)
        case _:
            return "this node"


def check_dimse(peer: DimsePeer, circumstances: Circumstances, *, name: str) -> ConnectionReport:
    """Test the connection to another AE."""
    if peer.remote.uses_tls:
        peer = peer.with_tls(circumstances.tls_files or peer.tls_files or TlsFiles())
    return check_peer(
        peer,
        destination=name,
        now=circumstances.now,
        timeout_s=circumstances.timeout_s,
        on_step=circumstances.on_step,
    )


def _check_web(
    target: WebTarget, circumstances: Circumstances, *, name: str, read_secret: ReadSecret
) -> ConnectionReport:
    tls = tls_of(target, read_secret)
    auth = authentication_of(target, read_secret, tls=tls)  # secrets are read before anything is asked

    def opened() -> DicomwebClient:
        return DicomwebClient(target.url, auth=auth, tls=tls, timeout_s=circumstances.timeout_s)

    return _check(ServiceUnderTest(target.url, tls, opened, _evidence(target)), circumstances, name=name)


def _evidence(target: WebTarget) -> str:
    match target.authentication:
        case NoAuthentication():
            return "our certificate" if target.client_certificate_file else ""
        case BasicAuthentication(user):
            return f"the password of {user}"
        case KeyAuthentication(header):
            return f"the key in {header}"
        case OAuthAuthentication(token_url, client_id):
            return f"a token for {client_id} from {token_url}"


def check_web_archive(archive: WebArchive, circumstances: Circumstances) -> ConnectionReport:
    """Test the connection to a DICOMweb service by its address; of a bare host, the root that answers."""
    tls = None if archive.authorities is None else trusting(archive.authorities)
    evidence = "the token that is given" if archive.token else ""
    if archive.client_id is not None:
        evidence = f"a token for {archive.client_id}"

    def client_of(url: str) -> Callable[[], DicomwebClient]:
        def opened() -> DicomwebClient:
            auth = None
            if archive.client_id is not None:
                secret = ClientSecret(archive.client_id, archive.client_secret, archive.authority)
                auth = ClientCredentials(secret, tls=tls)
            return DicomwebClient(url, token=archive.token, auth=auth, tls=tls, timeout_s=circumstances.timeout_s)

        return opened

    bare = archive.url.rstrip("/")
    with client_of(bare)() as client:  # an address that is none is refused before anything is asked
        name = client.service
    url = bare if bare.count("/") > 2 else _root(bare, client_of)
    return _check(ServiceUnderTest(url, tls, client_of(url), evidence), circumstances, name=name)


def _root(bare: str, client_of: Callable[[str], Callable[[], DicomwebClient]]) -> str:
    """Return where a service has its root, of those that are usual; the host itself where none answers as one."""
    for root in ROOTS:
        with client_of(bare + root)() as client:
            try:
                client.search(Level.STUDY, [("limit", "1")])
            except (InvalidRequest, NotFound):
                continue
            except IsocenterError:
                return bare + root  # somebody is there, and the test will tell what is wrong
            return bare + root
    return bare


def _check(service: ServiceUnderTest, circumstances: Circumstances, *, name: str) -> ConnectionReport:
    return check_service(
        service,
        destination=name,
        now=circumstances.now,
        stores=circumstances.stores,
        timeout_s=circumstances.timeout_s,
        on_step=circumstances.on_step,
    )


def _check_folder(name: str, path: str) -> ConnectionReport:
    """Write a file into a folder and remove it again."""
    began = time.perf_counter()
    try:
        with tempfile.NamedTemporaryFile(dir=path, prefix=".connection-test-") as file:
            file.write(b"isocenter")
            file.flush()
            os.fsync(file.fileno())
        step = passed(StepName.FOLDER, "A file could be written, made durable, and removed again.")
    except OSError as error:
        told = f"No file can be written there: {error.strerror or type(error).__name__}."
        step = failed(StepName.FOLDER, told, "Make the folder, and give the node the right to write.", side=Side.OURS)
    return ConnectionReport(name, path, (replace(step, elapsed_s=time.perf_counter() - began),))
