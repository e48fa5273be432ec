"""Settings of the cast: what follows from them, and those that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from isocenter.app.doctor_exchange import check_fhir_server
from isocenter.app.fhir_casting import cast_options, dicomweb_url_of, open_fhir_client
from isocenter.app.fhir_desk import check
from isocenter.app.settings import Settings, load_settings
from isocenter.domain.errors import InvalidSetting
from isocenter.fhir.errors import FhirNotUsable
from tests.support.fhir_peer import FhirPeer, fhir_peer

SOUND = {"url": "http://127.0.0.1:9/fhir", "patient_system": "urn:oid:1.2", "dicomweb_url": "http://a.example/v2"}


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirPeer]:
    one = fhir_peer(tmp_path_factory.mktemp("fhir"))
    with one.running():
        yield one


def _settings(folder: Path, **values: str) -> Settings:
    flags = {name.replace("__", "."): value for name, value in values.items() if "__" in name}
    fhir = {f"fhir.{name}": value for name, value in values.items() if "__" not in name}
    return load_settings({"data_dir": str(folder), **flags, **fhir}, {}, None)


def test_what_was_chosen_becomes_options(tmp_path: Path) -> None:
    chosen = {"patient_issuer": "on", "timezone_offset": "+0100", "enforce_validation": "on", "instances": "count"}
    options = cast_options(_settings(tmp_path, **SOUND, **chosen, observations="off"))
    assert (options.naming.system, options.naming.uses_issuer) == ("urn:oid:1.2", True)
    assert (options.reading.offset, options.reading.enforces, options.reading.takes_doses) == ("+01:00", True, False)
    assert not options.lists_instances
    assert options.dicomweb_url_of("research") == "http://a.example/v2/partitions/research"


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"dicomweb_url": "https://b.example/dicom-web/"}, "https://b.example/dicom-web"),
        ({"http__public_url": "https://c.example"}, "https://c.example/v2"),
        ({"http__listen": "127.0.0.1:8123"}, "http://127.0.0.1:8123/v2"),
        ({"http__tls_listen": "[::1]:8443"}, "https://[::1]:8443/v2"),
    ],
)
def test_where_the_images_are_is_told_or_known(tmp_path: Path, values: dict[str, str], url: str) -> None:
    assert dicomweb_url_of(_settings(tmp_path, **values)) == url


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"patient_system": ""}, r"fhir\.patient_system"),
        ({"timezone_offset": "CET"}, r"fhir\.timezone_offset"),
        ({"dicomweb_url": "", "http__tls_listen": "0.0.0.0:8443"}, r"fhir\.dicomweb_url"),
        ({"dicomweb_url": "", "http__listen": "127.0.0.1:0"}, r"fhir\.dicomweb_url"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, values: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidSetting, match=words):
        cast_options(_settings(tmp_path, **SOUND | values))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": ""}, "No FHIR server"),
        ({"url": "https://me:secret@a.example/fhir"}, "must not hold a password"),
        ({"client_id": "me"}, "all three"),
        ({"token_url": "https://a.example/token", "client_id": "me"}, "all three"),
        (
            {"url": "http://a.example", "token_url": "https://b.example/t", "client_id": "me", "client_secret": "x"},
            "in the clear",
        ),
        ({"token_url": "http://b.example/t", "client_id": "me", "client_secret": "x"}, r"fhir\.token_url"),
    ],
)
def test_servers_that_cannot_be_are_refused(tmp_path: Path, values: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidSetting, match=words) as caught:
        open_fhir_client(_settings(tmp_path, **SOUND | values))
    assert "secret@" not in caught.value.message


def test_a_client_is_opened_with_credentials_and_without(tmp_path: Path) -> None:
    credentials = {"token_url": "https://b.example/t", "client_id": "me", "client_secret": "x"}
    for values in (SOUND, SOUND | credentials):
        with closing(open_fhir_client(_settings(tmp_path, **values))) as client:
            assert client.url == SOUND["url"]


def test_a_server_is_examined_before_anything_is_cast(peer: FhirPeer, tmp_path: Path) -> None:
    settings = _settings(tmp_path, **SOUND | {"url": peer.url})
    assert check(settings).software == "strict"
    assert (check_fhir_server(settings).state, check_fhir_server(_settings(tmp_path)).state) == ("ok", "ok")
    peer.set_faults(capabilities={"fhirVersion": "5.0.0"})
    with pytest.raises(FhirNotUsable, match="R4"):
        check(settings)
    found = check_fhir_server(settings)
    assert (found.state, "docs/how-to/fhir.md" in found.remedy) == ("warn", True)
