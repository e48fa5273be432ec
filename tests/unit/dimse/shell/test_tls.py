"""TLS by profile."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.dimse.shell.tls import PROFILES, TlsSettings, client_context, server_context
from isocenter.domain.errors import InvalidSetting
from tests.support.certificates import Authority


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TlsSettings:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    identity = authority.issue("node")
    return TlsSettings(certificate=identity.certificate, key=identity.key, authorities=authority.certificate)


@pytest.mark.parametrize("profile", PROFILES)
def test_no_profile_goes_below_tls_1_2_or_does_without_encryption(settings: TlsSettings, profile: str) -> None:
    for make in (server_context, client_context):
        context = make(replace(settings, profile=profile))
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        names = {cipher["name"] for cipher in context.get_ciphers()}
        assert not any(weak in name for name in names for weak in ("NULL", "RC4", "3DES", "EXP", "ADH", "MD5"))


@pytest.mark.parametrize("profile", PROFILES)
def test_only_the_aes_profile_is_spoken_with_sha_1(settings: TlsSettings, profile: str) -> None:
    ciphers = server_context(replace(settings, profile=profile)).get_ciphers()
    weak = [cipher["name"] for cipher in ciphers if cipher["name"].endswith("-SHA")]
    assert weak == (["AES128-SHA"] if profile == "bcp195" else [])


def test_the_extended_profile_stays_at_tls_1_2(settings: TlsSettings) -> None:
    assert server_context(replace(settings, profile="extended")).maximum_version is ssl.TLSVersion.TLSv1_2


def test_callers_are_asked_for_a_certificate_as_the_setting_says(settings: TlsSettings) -> None:
    assert server_context(settings).verify_mode is ssl.CERT_REQUIRED
    assert server_context(replace(settings, client_certificate="optional")).verify_mode is ssl.CERT_OPTIONAL
    assert server_context(replace(settings, client_certificate="ignored")).verify_mode is ssl.CERT_NONE


def test_those_whom_we_call_must_always_show_one(settings: TlsSettings) -> None:
    assert client_context(replace(settings, client_certificate="ignored")).verify_mode is ssl.CERT_REQUIRED


def test_what_cannot_be_used_is_named(settings: TlsSettings, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other").issue("other")
    for wrong in (
        replace(settings, certificate=None),
        replace(settings, key=tmp_path / "missing.key"),
        replace(settings, key=other.key),
        replace(settings, authorities=tmp_path / "missing.pem"),
    ):
        with pytest.raises(InvalidSetting, match=r"dicom\.tls_"):
            server_context(wrong)
