"""Report on a migration: a text for people, and a signed manifest with a line for each instance."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from isocenter import __version__
from isocenter.app.migrating.job import Job
from isocenter.app.migrating.moving import SOURCE_CODE, now_text
from isocenter.app.migrating.records import State
from isocenter.domain.errors import InvalidRequest, InvalidSetting
from isocenter.routing.catalogue.entry import Family
from isocenter.routing.catalogue.lookup import entry_of
from isocenter.routing.migration.anomalies import WORDS
from isocenter.routing.migration.manifest import (
    LINE_LENGTH_MAX,
    CheckedManifest,
    check_lines,
    fingerprint_of,
    write_lines,
)

KEY_FILE = "signing-key.pem"
PUBLIC_KEY_FILE = "signing-key.public.pem"
MANIFEST_FILE = "manifest.jsonl"
REPORT_FILE = "report.txt"
ANOMALIES_NAMED_MAX = 1000
"""Of the first line of a manifest; the count is always whole."""
PLACES_MAX = 20
"""Of one kind that a text names."""
SOURCE_WORDS = "The source lists it and did not give it. Look at the source whether it is damaged, then move it again."


def signing_key(job: Job, path: Path | None) -> Ed25519PrivateKey:
    """Return the key to sign with: that of a file, or the job's own, made when it is first needed.

    It is not one of a node's keys for tokens: those are forgotten after a month, a manifest is kept for decades.
    """
    if path is not None:
        return _load_private(path)
    own = job.folder / KEY_FILE
    if not own.exists():
        key = Ed25519PrivateKey.generate()
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
    return _load_private(own)


def _load_private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidSetting(f"{path} holds no private key in PEM form without a password.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidSetting(f"{path} holds a key of another kind than Ed25519.")
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Return the public key of a PEM file; raises InvalidSetting."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise InvalidSetting(f"{path} holds no public key in PEM form.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidSetting(f"{path} holds a key of another kind than Ed25519.")
    return key


def summary(job: Job) -> dict[str, Any]:
    """Return where a migration stands, for programs; no value of an attribute is in it but UIDs."""
    totals = job.totals()
    found, planned, unlisted = job.study_counts()
    anomalies = job.anomalies()
    return {
        "made_by": f"isocenter {__version__}",
        "made_at": now_text(),
        "source": job.get("source", ""),
        "target": job.get("target", ""),
        "re_encoded_as_explicit_vr": bool(job.get("explicit_vr")),
        "studies": {"found": found, "planned": planned, "not_listed": unlisted},
        "instances": {
            "planned": totals.instances,
            **{state.value: totals.by_state.get(state, 0) for state in State},
            "sent_again": totals.sent_again,
            "size_bytes": totals.size_bytes,
        },
        "anomalies": {
            "count": len(anomalies),
            "named": [{"kind": one.kind.value, "where": one.where} for one in anomalies[:ANOMALIES_NAMED_MAX]],
        },
        "verification": job.get("verification"),
        "findings": job.finding_counts(),
    }


def is_complete(job: Job) -> bool:
    """Tell whether everything that is planned is at the target, and the last verification found nothing wrong."""
    totals = job.totals()
    verification = job.get("verification")
    return (
        totals.delivered == totals.instances
        and job.study_counts()[2] == 0
        and bool(verification)
        and verification["sound"]
        and verification["instances"] == totals.delivered
    )


def write_report(job: Job, *, key_file: Path | None = None) -> tuple[Path, Path, str]:
    """Write report and manifest into the folder of the job; return their paths and the fingerprint of the key."""
    key = signing_key(job, key_file)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (job.folder / PUBLIC_KEY_FILE).write_bytes(public)
    manifest = job.folder / MANIFEST_FILE
    _replace(manifest, write_lines(summary(job), job.all_instances(), key))
    fingerprint = fingerprint_of(key.public_key())
    text = "\n".join([*describe(job), "", f"The manifest is signed by the key {fingerprint}.", ""])
    _replace(job.folder / REPORT_FILE, [text.encode()])
    return job.folder / REPORT_FILE, manifest, fingerprint


def _replace(path: Path, pieces: Any) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def check_manifest(path: Path, *, public_key: Path | None = None) -> CheckedManifest:
    """Return what a manifest says after verifying its signature; raises InvalidRequest, InvalidSetting."""
    key = None if public_key is None else load_public_key(public_key)
    try:
        with path.open("rb") as file:
            return check_lines(_lines(file), public_key=key)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from error


def _lines(file: Any) -> Iterator[bytes]:
    while line := file.readline(LINE_LENGTH_MAX + 1):
        yield line


def describe(job: Job) -> Iterator[str]:
    """Yield the lines of the report for people."""
    told = summary(job)
    instances, studies = told["instances"], told["studies"]
    delivered = instances[State.DELIVERED.value] + instances[State.DELIVERED_WITH_NOTE.value]
    yield f"Migration from {told['source']} to {told['target']}, as of {told['made_at']}"
    yield ""
    yield (
        f"Studies: {studies['found']:,} found, {studies['planned']:,} planned, "
        f"{studies['not_listed']:,} not listed yet."
    )
    yield (
        f"Instances: {instances['planned']:,} planned = {delivered:,} delivered "
        f"({instances[State.DELIVERED_WITH_NOTE.value]:,} with a note) + "
        f"{instances[State.WAITING.value] + instances[State.SENDING.value]:,} waiting + "
        f"{instances[State.NEEDS_HUMAN.value]:,} for a person + "
        f"{instances[State.NOT_SENT_BY_SOURCE.value]:,} that the source did not give."
    )
    yield f"Sent more than once, or perhaps so after a stop: {instances['sent_again']:,}."
    yield from _verification_lines(told["verification"])
    yield from _anomaly_lines(job)
    yield from _shelf_lines(job)
    yield from _finding_lines(job)
    yield ""
    yield "Nothing was deleted or changed at the source."


def _verification_lines(verification: dict[str, Any] | None) -> Iterator[str]:
    yield ""
    if not verification:
        yield "Not verified yet."
        return
    yield f"Verified at level {verification['level']} ({verification['at']}): {verification['instances']:,} instances."
    if verification["statement"]:
        yield verification["statement"]["text"]
    if verification["not_comparable"]:
        yield (
            f"{verification['not_comparable']:,} came back in another transfer syntax; their bytes cannot be compared."
        )
    if verification["not_possible"]:
        yield f"Digests could not be compared: {verification['not_possible']}"
    if verification["unlisted_studies"]:
        yield f"Of {verification['unlisted_studies']:,} studies the target would not tell what it has."
    yield "Nothing is wrong." if verification["sound"] else "Something is wrong; see below."


def _anomaly_lines(job: Job) -> Iterator[str]:
    by_kind: dict[str, list[str]] = {}
    words = {}
    for one in job.anomalies():
        by_kind.setdefault(one.kind.value, []).append(one.where)
        words[one.kind.value] = WORDS[one.kind]
    for kind, places in by_kind.items():
        yield ""
        yield f"{kind} ({len(places):,}): {words[kind]}"
        yield from _named(places)


def _shelf_lines(job: Job) -> Iterator[str]:
    by_code: dict[str, list[str]] = {}
    for study, _, uid, code, _ in job.shelf():
        by_code.setdefault(code, []).append(f"{uid} of {study}")
    for code, places in by_code.items():
        yield ""
        yield f"Not delivered, {code or 'no reason'} ({len(places):,}): {words_of(code)}"
        yield from _named(places)


def _finding_lines(job: Job) -> Iterator[str]:
    by_kind: dict[str, list[str]] = {}
    for study, _, uid, finding, _ in job.findings():
        by_kind.setdefault(finding.value, []).append(f"{uid} of {study}")
    for kind, places in by_kind.items():
        yield ""
        yield f"At the target {kind} ({len(places):,}):"
        yield from _named(places)


def _named(places: list[str]) -> Iterator[str]:
    for place in places[:PLACES_MAX]:
        yield f"  {place}"
    if len(places) > PLACES_MAX:
        yield f"  and {len(places) - PLACES_MAX:,} more"


def words_of(code: str) -> str:
    """Return what a note of an instance means and what to do about it, in the words of the catalogue."""
    if code == SOURCE_CODE:
        return SOURCE_WORDS
    family, _, rest = code.partition(":")
    try:
        entry = entry_of(Family(family), rest)
    except ValueError:
        return ""
    return f"{entry.meaning} {entry.remedy}"
