"""What a certificate says of its owner, and what fits it."""

from __future__ import annotations

import hashlib

import pytest

from isocenter.domain.certificate_name import parse_certificate_name
from isocenter.identity.certificate import Certificate, certificate_of

ENCODED = b"the bytes of a certificate"
SHA256 = hashlib.sha256(ENCODED).hexdigest()
SHOWN = {
    "subject": ((("countryName", "DE"),), (("organizationName", "Hospital"), ("commonName", "CT 1"))),
    "subjectAltName": (
        ("DNS", "ct1.example"),
        ("DNS", "*.wild.example"),
        ("IP Address", "10.0.0.7"),
        ("IP Address", "FD00:0:0:0:0:0:0:7"),
        ("URI", "urn:oid:1.2.3"),
        ("email", "ct1@hospital.example"),
    ),
}
CERTIFICATE = Certificate(
    ("CT 1",),
    ("ct1.example", "*.wild.example"),
    ("10.0.0.7", "fd00::7"),
    ("urn:oid:1.2.3",),
    "C=DE,O=Hospital,CN=CT 1",
    SHA256,
)
COLONS = ":".join(SHA256[at : at + 2] for at in range(0, 64, 2)).upper()


def test_a_certificate_is_read_as_ssl_tells_it() -> None:
    assert certificate_of(SHOWN, ENCODED) == CERTIFICATE
    assert certificate_of({}, ENCODED) is None
    assert certificate_of(None) is None


@pytest.mark.parametrize(
    "name",
    [
        "CT 1",
        "ct 1",
        "cn:CT 1",
        "CT1.EXAMPLE",
        "dns:ct1.example",
        "10.0.0.7",
        "::ffff:10.0.0.7",
        "ip:fd00::7",
        "urn:oid:1.2.3",
        "uri:urn:oid:1.2.3",
        "C=DE,O=Hospital,CN=CT 1",
        "C = DE, O = Hospital, CN = CT 1",
        "subject:CN=CT 1,O=Hospital,C=DE",
        f"sha256:{SHA256}",
        f"SHA256:{COLONS}",
        COLONS,
        "*.wild.example",
    ],
)
def test_each_form_of_a_name_fits(name: str) -> None:
    assert CERTIFICATE.fits(parse_certificate_name(name))


@pytest.mark.parametrize(
    "name",
    [
        "CT 2",
        "cn:ct1.example",
        "dns:CT 1",
        "a.wild.example",
        "10.0.0.8",
        "ip:10.0.0.8",
        "uri:URN:OID:1.2.3",
        "uri:ct1.example",
        "subject:CN=CT 1",
        "O=Hospital,CN=CT 1",
        f"sha256:{'0' * 64}",
        SHA256,
        "ct1@hospital.example",
    ],
)
def test_others_do_not(name: str) -> None:
    assert not CERTIFICATE.fits(parse_certificate_name(name))


@pytest.mark.parametrize("name", ["x", "subject:x", "subject:CN=x", "dns:x", "ip:10.0.0.7", f"sha256:{SHA256}"])
def test_a_certificate_without_names_fits_none(name: str) -> None:
    assert not Certificate().fits(parse_certificate_name(name))


def test_it_is_described_by_subject_and_fingerprint_or_by_what_it_has() -> None:
    assert CERTIFICATE.describe() == f"'C=DE,O=Hospital,CN=CT 1' (sha256:{SHA256})"
    assert Certificate(dns_names=("a",), addresses=("10.0.0.7",)).describe() == "'a, 10.0.0.7'"
