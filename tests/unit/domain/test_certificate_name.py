"""The text form of what a certificate must have."""

from __future__ import annotations

import pytest

from isocenter.domain.certificate_name import (
    CertificateName,
    CertificateNameKind,
    parse_certificate_name,
    usual_address,
)
from isocenter.domain.errors import InvalidRequest

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("CT1", CertificateNameKind.ANY, "CT1"),
        (" ct1.example ", CertificateNameKind.ANY, "ct1.example"),
        ("urn:oid:1.2", CertificateNameKind.ANY, "urn:oid:1.2"),
        ("cn: CT 1", CertificateNameKind.COMMON_NAME, "CT 1"),
        ("DNS:ct1.example", CertificateNameKind.DNS, "ct1.example"),
        ("ip:FD00:0::7", CertificateNameKind.IP, "fd00::7"),
        ("uri:urn:oid:1.2", CertificateNameKind.URI, "urn:oid:1.2"),
        ("subject:CN=a,O=b", CertificateNameKind.SUBJECT, "CN=a,O=b"),
        (f"sha256:{DIGEST.upper()}", CertificateNameKind.SHA256, DIGEST),
    ],
)
def test_a_name_says_where_it_stands(text: str, kind: CertificateNameKind, value: str) -> None:
    name = parse_certificate_name(text)
    assert name == CertificateName(kind, value)
    assert parse_certificate_name(str(name)) == name


@pytest.mark.parametrize("text", ["", "cn:", "dns: ", "sha256:12", f"sha256:{DIGEST}00", "ip:ct1", "a\0b"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_certificate_name(text)


@pytest.mark.parametrize(
    ("text", "usual"),
    [("10.0.0.7", "10.0.0.7"), ("::ffff:10.0.0.7", "10.0.0.7"), ("FD00::7", "fd00::7"), ("ct1", None)],
)
def test_an_address_has_one_usual_form(text: str, usual: str | None) -> None:
    assert usual_address(text) == usual
