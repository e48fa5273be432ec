"""The tables of destinations."""

from __future__ import annotations

from isocenter.routing.configuration import kinds
from isocenter.routing.configuration.destination import (
    WORKERS_MAX,
    ArchiveTarget,
    BasicAuthentication,
    CallingTitle,
    Compression,
    Destination,
    DimseTarget,
    FolderTarget,
    KeyAuthentication,
    NoAuthentication,
    OAuthAuthentication,
    OnConflict,
    RateLimit,
    WebProfile,
    WebTarget,
)
from isocenter.routing.configuration.section import Key, Section
from isocenter.routing.deliveries.breaker import BreakerPolicy
from isocenter.routing.deliveries.retry import RetryPolicy

_INSTANCES_PER_S_MAX = 100_000.0
_FAILURES_MAX = 1000

TARGETS = (
    Section(
        DimseTarget,
        (
            Key("remote", kinds.REMOTE, "Title, address and port of the application entity."),
            Key("calling_ae_title", kinds.choice(CallingTitle), "Under which title it is called."),
            Key("calling_ae_titles", kinds.TITLE_MAP, "Titles of senders, and those that stand for them there."),
            Key("compression", kinds.choice(Compression), "What may be done where it does not take a transfer syntax."),
            Key(
                "duplicate_is_stored",
                kinds.BOOLEAN,
                "Whether its status 0111 is taken for stored.",
                field="is_duplicate_stored",
            ),
        ),
        kind="dimse",
        help="Another application entity, by C-STORE.",
    ),
    Section(
        WebTarget,
        (
            Key("url", kinds.URL, "The root of the service, in front of `/studies`."),
            Key("profile", kinds.choice(WebProfile), "What the server is known to do and not to do."),
            Key("authority_file", kinds.LINE, "Certificates that are trusted in the place of those of the machine."),
            Key("client_certificate_file", kinds.LINE, "The certificate that the node shows."),
            Key("client_key_file", kinds.LINE, "Its key."),
            Key("client_key_password", kinds.SECRET, "Name of the secret that opens the key."),
            Key("batch_size", kinds.SIZE, "Instances are sent together up to this size.", field="batch_size_bytes"),
        ),
        kind="dicomweb",
        help="A DICOMweb service, by STOW-RS.",
    ),
    Section(
        FolderTarget,
        (Key("path", kinds.LINE, "The folder; studies and series are folders in it."),),
        kind="folder",
        help="Files in a folder.",
    ),
    Section(
        ArchiveTarget,
        (Key("partition", kinds.NAME, "The partition of the archive."),),
        kind="archive",
        help="The node's own archive.",
    ),
)
"""By `kind`."""

AUTHENTICATIONS = (
    Section(NoAuthentication, (), kind="none", help="Requests carry no evidence of who sends them."),
    Section(
        BasicAuthentication,
        (
            Key("user", kinds.LINE, "The user name."),
            Key("password", kinds.SECRET, "Name of the secret that holds the password."),
        ),
        kind="basic",
        help="User name and password.",
    ),
    Section(
        KeyAuthentication,
        (
            Key("header", kinds.LINE, "The header that carries the key."),
            Key("key", kinds.SECRET, "Name of the secret that holds the key."),
        ),
        kind="key",
        help="A key in a header.",
    ),
    Section(
        OAuthAuthentication,
        (
            Key("token_url", kinds.URL, "Where tokens come from."),
            Key("client_id", kinds.LINE, "The identifier of the application."),
            Key("client_secret", kinds.SECRET, "Name of the secret that holds its client secret."),
            Key("scope", kinds.LINE, "What the token is for; Azure's second version."),
            Key("resource", kinds.LINE, "What the token is for; Azure's first version."),
        ),
        kind="oauth2",
        help="Client credentials of OAuth 2.",
    ),
)
"""By `kind`."""

LIMIT = Section(
    RateLimit,
    (
        Key("during", kinds.WINDOW, "The hours; without it, always."),
        Key("rate", kinds.RATE, "At most so many bytes a second.", field="bytes_per_s"),
        Key(
            "instances_per_s",
            kinds.number(0.001, _INSTANCES_PER_S_MAX),
            "At most so many instances a second.",
        ),
    ),
)
RETRY = Section(
    RetryPolicy,
    (
        Key("first_wait", kinds.DURATION, "The longest wait after a first failure.", field="first_wait_s"),
        Key("longest_wait", kinds.DURATION, "The longest wait after many.", field="longest_wait_s"),
        Key("age_max", kinds.DURATION, "An older delivery goes to the shelf for people.", field="age_max_s"),
    ),
)
BREAKER = Section(
    BreakerPolicy,
    (
        Key("failures_in_a_row", kinds.integer(1, _FAILURES_MAX), "So many make the destination count as sick."),
        Key("first_probe", kinds.DURATION, "It is probed for the first time after so long.", field="first_probe_s"),
        Key("longest_probe", kinds.DURATION, "The longest time between probes.", field="longest_probe_s"),
    ),
)
DESTINATION = Section(
    Destination,
    (
        Key("description", kinds.TEXT, "For people."),
        Key("enabled", kinds.BOOLEAN, "Where it is not, deliveries to it wait.", field="is_enabled"),
        Key("workers", kinds.integer(1, WORKERS_MAX), "Deliveries at a time."),
        Key("open", kinds.CALENDAR, "Hours in which it takes work; without it, always."),
        Key("on_conflict", kinds.choice(OnConflict), "What is done where it holds another instance of the same UID."),
    ),
)
"""Besides the keys of its kind, and without the tables `limits`, `retry`, `breaker` and `authentication`."""
