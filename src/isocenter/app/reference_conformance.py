"""The DICOM conformance statement (PS3.2), from the tables that the program itself works with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

from isocenter.app.dicom import DicomNode
from isocenter.app.reference_statuses import status_sections
from isocenter.app.settings import load_settings
from isocenter.app.settings_table import SETTINGS
from isocenter.app.wiring import open_archive
from isocenter.dicom.dictionary import storage_class_names, uid_name
from isocenter.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.dicom.syntax import TRANSFER_SYNTAXES
from isocenter.dimse.codec.commitment import STORAGE_COMMITMENT_PUSH_MODEL
from isocenter.dimse.scp.admission import OPERATIONS_INVOKED_MAX, OPERATIONS_PERFORMED_MAX
from isocenter.dimse.scp.storage_classes import is_storage_class
from isocenter.dimse.scu.echo import VERIFICATION
from isocenter.dimse.scu.find import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from isocenter.dimse.scu.retrieve import STUDY_ROOT_GET, STUDY_ROOT_MOVE
from isocenter.dimse.shell.service import Service
from isocenter.dimse.shell.tls import DEFAULT_PROFILE, PROFILES
from isocenter.dimse.ul.limits import ASSOCIATE_LENGTH_MAX, CONTEXTS_MAX, PDU_LENGTH_MAX, PEER_PDU_LENGTH_MIN
from isocenter.dimse.ul.negotiation import AcceptorRole
from isocenter.dimse.ul.pdu import APPLICATION_CONTEXT_NAME
from isocenter.dimse.ul.query_extensions import (
    FindExtensions,
    RetrieveExtensions,
    decode_find_extensions,
    decode_retrieve_extensions,
)
from isocenter.domain.application_entity import AeService
from isocenter.web.api.associations import message_name

_ROLES = {AcceptorRole.SCP: "SCP", AcceptorRole.SCU: "SCU", AcceptorRole.BOTH: "SCP, SCU by role selection"}
_REQUESTED = (
    (VERIFICATION, "C-ECHO", "SCU", "`isocenter echo`"),
    (STUDY_ROOT_FIND, "C-FIND", "SCU", "`isocenter find`, `isocenter get`, `isocenter store` to verify its journal"),
    (PATIENT_ROOT_FIND, "C-FIND", "SCU", "`isocenter find --model patient`"),
    (STUDY_ROOT_MOVE, "C-MOVE", "SCU", "`isocenter move`"),
    (STUDY_ROOT_GET, "C-GET", "SCU; SCP of storage by role selection", "`isocenter get`"),
    ("", "C-STORE", "SCU", "`isocenter store`, sub-operations of C-MOVE"),
    (
        STORAGE_COMMITMENT_PUSH_MODEL,
        "N-ACTION, N-EVENT-REPORT",
        "SCU; SCP by role selection",
        "requests of commitment and reports of it",
    ),
)
"""SOP class (none for all storage classes), operation, role, and who asks."""


def render_conformance(note: str) -> str:
    """Return the statement."""
    services = _offered()
    sections = [
        _overview(note),
        _acceptor(services),
        _requestor(),
        _storage(),
        _negotiation(services),
        *status_sections(),
        _security(),
        _configuration(),
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _offered() -> Sequence[Service]:
    """Return the services of a node with default settings, asked of one over an empty archive."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
        settings = load_settings({"data_dir": str(Path(folder) / "data")}, {}, None)
        with open_archive(settings) as archive:
            node = DicomNode(archive, settings, [], executor=executor, picture_executor=executor)
            table = asyncio.run(node.offered())
        storage = table.find("1.2.840.10008.5.1.4.1.1.2")
    listed = sorted(
        table.listed, key=lambda service: (list(AeService).index(service.name), min(service.sop_class_uids))
    )
    return [*listed, storage] if storage is not None and storage not in listed else listed


def _overview(note: str) -> str:
    return f"""
# DICOM conformance statement

{note}

The node is one application entity. Everything below is what the program does by default; the settings at the end
change it. What a DICOMweb client may ask stands in [its own statement](dicomweb.md).

| | |
|---|---|
| application context | `{APPLICATION_CONTEXT_NAME}` |
| implementation class UID | `{IMPLEMENTATION_CLASS_UID}` |
| implementation version name | `{IMPLEMENTATION_VERSION_NAME}` |
| maximum length of PDUs that it takes | {PDU_LENGTH_MAX:,} bytes |
| least that a peer may announce | {PEER_PDU_LENGTH_MIN} bytes |
| longest request of an association | {ASSOCIATE_LENGTH_MAX:,} bytes, {CONTEXTS_MAX} presentation contexts |
| asynchronous operations window | invokes {OPERATIONS_INVOKED_MAX}, performs {OPERATIONS_PERFORMED_MAX} |
"""


def _acceptor(services: Sequence[Service]) -> str:
    rows = []
    for service in services:
        operations = ", ".join(
            sorted(message_name(kind.__name__).removesuffix("-RQ") for kind in (*service.performs, *service.receives))
        )
        syntaxes = service.transfer_syntax_uids
        taken = "all of those below" if syntaxes is None else "<br>".join(uid_name(uid) or uid for uid in syntaxes)
        classes = sorted(service.sop_class_uids) or [""]
        rows += [
            [
                _named(uid) if uid else "every storage class",
                operations,
                _ROLES[service.role],
                taken,
                f"`{service.name}`",
            ]
            for uid in classes
        ]
    return f"""
## Services for those who call

{_table(["SOP class", "operations", "role", "transfer syntaxes", "right"], rows)}

The right is what `services=` of an AE in `dicom.remotes` must name; without that option an AE has all of them. Of
several transfer syntaxes in one context the first of ours that it names is taken, for storage the first of its own.
"""


def _requestor() -> str:
    rows = [
        [_named(uid) if uid else "every storage class", operation, role, who]
        for uid, operation, role, who in _REQUESTED
    ]
    return f"""
## Services asked of others

{_table(["SOP class", "operations", "role", "who asks"], rows)}

To send instances there is a context for each SOP class and transfer syntax, and for each class those in Explicit and
Implicit VR Little Endian: what the receiver does not take as it is stored is converted without loss, or not sent and
named. More than {CONTEXTS_MAX} contexts need several associations, which are opened one after the other.
"""


def _storage() -> str:
    syntaxes = [[syntax.name, f"`{syntax.uid}`"] for syntax in TRANSFER_SYNTAXES]
    names = storage_class_names()
    classes = [[name, f"`{uid}`"] for uid, name in names.items() if is_storage_class(uid)]
    return f"""
## Storage

Instances are kept bit for bit as they came, at level 2 (full), and acknowledged when they are durable. Every SOP class
below `1.2.840.10008.5.1.4.1.1` is taken, which covers those that the standard will define; private ones too, unless
`dicom.private_sop_classes` says otherwise. Those that have a name today are listed. Associations may store several
instances at a time (asynchronous operations).

### Transfer syntaxes

{_table(["transfer syntax", "UID"], syntaxes)}

### SOP classes

{_table(["SOP class", "UID"], classes)}
"""


def _negotiation(services: Sequence[Service]) -> str:
    rows = [
        [_named(uid), ", ".join(_extensions(service)) or "–"]
        for service in services
        if service.extensions
        for uid in sorted(service.sop_class_uids)
    ]
    return f"""
## Extended negotiation

{_table(["SOP class", "what is supported"], rows)}

SOP class common extended negotiation: a class that is not known is served as its service class or one of its related
general classes. Role selection is answered as the table of services says.

User identity is ignored unless `dicom.user_identity`, or `user=` of the AE's row in `dicom.remotes`, says otherwise.
Then a name with a passcode (type 2) is held against the people and applications of the node, a JSON web token (type 5)
against signature, issuer, audience and time; a name alone (type 1) must be known, and is enough where a user is
required only for an AE whose certificate vouches for it. Kerberos tickets (3) and SAML assertions (4) are refused. A
positive response is given where it is asked for, with an empty server response. A user who is not accepted is rejected
by the service provider (ACSE related function), permanently, without a reason; for the time being after too many
attempts. A user has the services that both its AE and its role allow.
"""


def _extensions(service: Service) -> Iterable[str]:
    extensions: FindExtensions | RetrieveExtensions
    if service.name in (AeService.MOVE, AeService.GET):
        extensions = decode_retrieve_extensions(service.extensions)
    else:
        extensions = decode_find_extensions(service.extensions)
    return [field.name.replace("_", " ") for field in fields(extensions) if getattr(extensions, field.name)]


def _security() -> str:
    rows = [
        [
            f"`{name}`" + (" (default)" if name == DEFAULT_PROFILE else ""),
            "1.2" if profile.version_max.name == "TLSv1_2" else "1.2, 1.3",
            "<br>".join(f"`{cipher}`" for cipher in profile.ciphers.split(":") if not cipher.startswith(("!", "-"))),
        ]
        for name, profile in PROFILES.items()
    ]
    return f"""
## Security

Secure transport by the profiles of PS3.15 annex B, chosen by `dicom.tls_profile`. Both sides show certificates unless
`dicom.tls_client_certificate` says otherwise; a certificate is held against `subject=` of the AE's row in
`dicom.remotes`: common name, DNS name, IP address, URI, whole subject or SHA-256 fingerprint.

{_table(["profile", "TLS", "cipher suites of TLS 1.2, as OpenSSL names them or groups of them"], rows)}
"""


def _configuration() -> str:
    rows = [
        [f"`{setting.name}`", f"`{setting.default}`" if setting.default else "empty", setting.help.replace("|", "\\|")]
        for setting in SETTINGS
        if setting.name.startswith("dicom.")
    ]
    return f"""
## Configuration

{_table(["setting", "default", "meaning"], rows)}
"""


def _named(uid: str) -> str:
    name = uid_name(uid)
    return f"`{uid}`" if name is None else f"{name}<br>`{uid}`"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
