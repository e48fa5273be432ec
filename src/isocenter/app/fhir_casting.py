"""Join the cast to a FHIR server, where the settings name one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive
from isocenter.dicomweb.client.credentials import ClientCredentials, ClientSecret
from isocenter.domain.errors import InvalidRequest, InvalidSetting
from isocenter.fhir.cast import FhirCast
from isocenter.fhir.cast_record import CastCounts
from isocenter.fhir.client import FhirClient
from isocenter.fhir.mapping.attribute_values import parse_offset
from isocenter.fhir.mapping.facts import Reading
from isocenter.fhir.mapping.patient import PatientNaming
from isocenter.fhir.study_cast import CastOptions

SERVICE_PATH = "/v2"
"""Below the node's address: the root that knows partitions."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@contextmanager
def running_cast(archive: Archive, settings: Settings) -> Iterator[CastCounts]:
    """Cast for the length of a block, where a server is named. Raises InvalidSetting."""
    counts = CastCounts()
    if not settings.fhir.url:
        yield counts
        return
    options, client = cast_options(settings), open_fhir_client(settings)
    cast = FhirCast(archive, client, options, poll_interval_s=settings.fhir.poll_interval_s, counts=counts)
    with closing(cast):
        cast.start()
        yield counts


def require_server(settings: Settings) -> None:
    """Raise InvalidSetting unless a FHIR server is named."""
    if not settings.fhir.url:
        raise InvalidSetting("No FHIR server is named; set fhir.url to its base address.")


def open_fhir_client(settings: Settings) -> FhirClient:
    """Return a client of the server; raises InvalidSetting for settings that cannot be."""
    require_server(settings)
    chosen = settings.fhir
    parts = urlsplit(chosen.url)
    if parts.username or parts.password:
        raise InvalidSetting("fhir.url must not hold a password; set fhir.client_id and fhir.client_secret.")
    if not (chosen.token_url or chosen.client_id or chosen.client_secret):
        return FhirClient(chosen.url)
    if not (chosen.token_url and chosen.client_id and chosen.client_secret):
        raise InvalidSetting("To sign in fhir.token_url, fhir.client_id and fhir.client_secret are needed, all three.")
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise InvalidSetting("A token may not cross a network in the clear; fhir.url must begin with https://.")
    scope = chosen.scope or f"{chosen.url}/.default"
    secret = ClientSecret(chosen.client_id, chosen.client_secret, token_url=chosen.token_url, scope=scope)
    try:
        return FhirClient(chosen.url, auth=ClientCredentials(secret))
    except InvalidRequest as error:
        raise InvalidSetting(f"fhir.token_url: {error.message}") from error


def cast_options(settings: Settings) -> CastOptions:
    """Return what an operator chose about the cast; raises InvalidSetting."""
    chosen = settings.fhir
    naming = PatientNaming(chosen.patient_system or None, uses_issuer=chosen.patient_issuer == "on")
    if naming.system is None and not naming.uses_issuer:
        raise InvalidSetting(
            "A PatientID means nothing without a system: set fhir.patient_system to the address that stands for the "
            "numbers of your patients (urn:oid:…), or fhir.patient_issuer to on."
        )
    try:
        offset = parse_offset(chosen.timezone_offset) if chosen.timezone_offset else None
    except ValueError as error:
        raise InvalidSetting(f"fhir.timezone_offset {error}.") from error
    return CastOptions(
        dicomweb_url_of(settings),
        naming,
        Reading(offset, enforces=chosen.enforce_validation == "on", takes_doses=chosen.observations == "on"),
        lists_instances=chosen.instances == "list",
    )


def dicomweb_url_of(settings: Settings) -> str:
    """Return the address under which readers of the FHIR server find the images; raises InvalidSetting."""
    if settings.fhir.dicomweb_url:
        return settings.fhir.dicomweb_url
    if settings.http.public_url:
        return settings.http.public_url + SERVICE_PATH
    address = settings.http.addresses[0] if settings.http.addresses else None
    if address is None or not address.is_loopback or not address.port:
        raise InvalidSetting(
            "Nobody knows by which address the images are found from elsewhere; set http.public_url or "
            "fhir.dicomweb_url."
        )
    scheme = "http" if address == settings.http.listen else "https"
    return f"{scheme}://{address}{SERVICE_PATH}"
