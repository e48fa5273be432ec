"""The settings of a node as one frozen value, loaded once from flags, environment, file and defaults.

    flag  >  environment  >  settings file  >  default

The settings file is the one that `--config` names, else `isocenter.toml` in the data folder. Names
that nobody knows are refused with the nearest known one, so that a slip is never silently ignored.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from isocenter.app.http_kinds import Network
from isocenter.app.setting_kinds import Address
from isocenter.app.settings_table import (
    BY_NAME,
    BY_VARIABLE,
    ENVIRONMENT_PREFIX,
    OTHER_VARIABLES,
    SECRET_PREFIX,
    SETTINGS,
    Setting,
)
from isocenter.domain.application_entity import AeAddress, RemoteAe, UserIdentityRule
from isocenter.domain.errors import InvalidSetting
from isocenter.domain.image_event import Subscription
from isocenter.domain.nearest import did_you_mean

SETTINGS_FILE = "isocenter.toml"
SETTINGS_FILE_SIZE_MAX_BYTES = 1024**2
"""A settings file has some dozens of lines; a larger one is something else given by mistake."""
HIDDEN = "********"
DEFAULT_LISTEN = Address("127.0.0.1", 8080)
"""Where a node listens that is not told."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The web server."""

    listen: Address | None
    tls_listen: Address | None
    tls_certificate: Path | None
    tls_key: Path | None
    tls_key_password: str = field(repr=False)
    allowed_hosts: tuple[str, ...]
    public_url: str
    trusted_proxies: tuple[Network, ...]
    cors_origins: tuple[str, ...]
    cors_methods: tuple[str, ...]
    cors_headers: tuple[str, ...]
    cors_credentials: Literal["on", "off"]
    cors_max_age_s: float

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Return where it listens."""
        return tuple(address for address in (self.listen, self.tls_listen) if address is not None)


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Who may vouch for callers, and how long people stay signed in."""

    issuers: tuple[str, ...]
    audiences: tuple[str, ...]
    role_claim: str
    role_names: tuple[tuple[str, str], ...]
    client_id: str
    client_secret: str = field(repr=False)
    session_idle_timeout_s: float
    session_timeout_s: float


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """The audit log."""

    log: Literal["auto", "on", "off"]
    dir: Path
    keep_s: float


@dataclass(frozen=True, slots=True)
class ArchiveSection:
    """The archive."""

    duplicate_policy: Literal["refuse", "replace", "keep"]
    preamble: Literal["keep", "zero"]
    instance_size_max_bytes: int
    spool_threshold_bytes: int
    erase_after_s: float
    transcode_size_max_bytes: int
    metadata_cache_size_bytes: int


@dataclass(frozen=True, slots=True)
class AzureSettings:
    """The roots that follow Azure's DICOM service."""

    full_item_validation: Literal["off", "on"]
    study_mismatch_reason: Literal["43264", "43265"]
    include_all_with_others: Literal["accept", "refuse"]
    partitions: Literal["off", "on"]
    workitem_body: Literal["object", "array"]
    export: Literal["on", "off"]
    operations: Literal["on", "off"]
    extended_query_tags_max: int


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Packs and index on disk."""

    packs_dir: Path
    index_dir: Path
    exports_dir: Path
    reserve_bytes: int
    pack_size_bytes: int


@dataclass(frozen=True, slots=True)
class BulkImportSettings:
    """Where files wait to be imported."""

    dir: Path | None
    errors_dir: Path
    settle_s: float
    container_url: str = field(repr=False)
    error_container_url: str = field(repr=False)
    connection_string: str = field(repr=False)
    container: str
    error_container: str
    partition: str
    poll_interval_s: float


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Who is told of what happens to images."""

    subscribers: tuple[Subscription, ...]
    secrets_dir: Path
    service_host: str
    source: str
    age_max_s: float


@dataclass(frozen=True, slots=True)
class FhirSettings:
    """The FHIR server that is kept in step."""

    url: str
    dicomweb_url: str
    patient_system: str
    patient_issuer: Literal["off", "on"]
    timezone_offset: str
    enforce_validation: Literal["off", "on"]
    instances: Literal["list", "count"]
    observations: Literal["on", "off"]
    poll_interval_s: float
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str


@dataclass(frozen=True, slots=True)
class DicomSettings:
    """The DICOM listener, and associations of our own."""

    listen: AeAddress | None
    tls_listen: AeAddress | None
    remotes: tuple[RemoteAe, ...]
    unknown_callers: Literal["auto", "accept", "refuse"]
    called_ae_title: Literal["exact", "any"]
    caller_address: Literal["check", "ignore"]
    user_identity: Literal["ignore", "verify", "require"]
    private_sop_classes: Literal["accept", "refuse"]
    worklist_steps_leave: Literal["never", "completed", "started"]
    associations_max: int
    associations_per_ae_max: int
    store_associations_max: int
    acse_timeout_s: float
    dimse_timeout_s: float
    idle_timeout_s: float
    connect_timeout_s: float
    tls_profile: str
    tls_certificate: Path | None
    tls_key: Path | None
    tls_key_password: str = field(repr=False)
    tls_authorities: Path | None
    tls_client_certificate: Literal["required", "optional", "ignored"]

    @property
    def verifies_users(self) -> bool:
        """Tell whether users whom callers name are verified, of all callers or of some."""
        rules = {UserIdentityRule(self.user_identity), *(remote.user_identity for remote in self.remotes)}
        return not rules <= {UserIdentityRule.IGNORE, None}


@dataclass(frozen=True, slots=True)
class RoutingSettings:
    """Channels and destinations."""

    configuration: Path | None


@dataclass(frozen=True, slots=True)
class WorklistSettings:
    """The system that keeps the work list, where it is not this node."""

    ris: str
    cache_max_age_s: float
    timeout_s: float
    performed_steps: Literal["forward", "keep"]


@dataclass(frozen=True, slots=True)
class CompletenessSettings:
    """The watch over studies."""

    tracking: Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True)
class MllpSettings:
    """The listener for HL7 messages."""

    listen: Address | None
    senders: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """The console in the browser."""

    name: str


@dataclass(frozen=True, slots=True)
class ViewerSettings:
    """The viewer in the browser."""

    investigational_use_dialog: Literal["never", "always"]


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["console", "json"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that an operator may choose, and where each choice comes from."""

    data_dir: Path
    auth: Literal["auto", "off", "required"]
    http: HttpSettings
    identity: IdentitySettings
    audit: AuditSettings
    archive: ArchiveSection
    azure: AzureSettings
    storage: StorageSettings
    bulk_import: BulkImportSettings
    events: EventSettings
    fhir: FhirSettings
    dicom: DicomSettings
    routing: RoutingSettings
    worklist: WorklistSettings
    completeness: CompletenessSettings
    mllp: MllpSettings
    console: ConsoleSettings
    viewer: ViewerSettings
    log: LogSettings
    origins: Mapping[str, str]
    """By name: `flag`, `environment (VARIABLE)`, `file (PATH)` or `default`."""
    config_file: Path | None = None
    """The settings file that was read, if there was one."""

    @property
    def requires_identity(self) -> bool:
        """Tell whether callers must prove who they are."""
        if self.auth == "auto":
            return not all(address.is_loopback for address in self.http.addresses)
        return self.auth == "required"

    @property
    def keeps_audit_log(self) -> bool:
        """Tell whether requests leave records in the audit log."""
        return self.requires_identity if self.audit.log == "auto" else self.audit.log == "on"

    def value(self, name: str) -> object:
        """Return a value by its dotted name."""
        value: object = self
        for part in name.split("."):
            value = getattr(value, part)
        return value

    def rows(self) -> Iterator[tuple[Setting, str, str]]:
        """Yield every setting with its value as text, secrets as stars, and its origin."""
        for setting in SETTINGS:
            text = HIDDEN if setting.is_secret else setting.kind.render(self.value(setting.name))
            yield setting, text, self.origins[setting.name]


@dataclass(frozen=True, slots=True)
class _Found:
    raw: object
    origin: str
    folder: Path | None = None
    """What a relative path in a settings file starts from."""


def load_settings(flags: Mapping[str, str], environment: Mapping[str, str], config_file: Path | None) -> Settings:
    """Return the settings from every source.

    `flags` has dotted names. Raises InvalidSetting, with what to write instead.
    """
    found = _from_environment(environment) | _from_flags(flags)
    path = config_file or _default_file(found)
    if path is not None:
        in_file = _from_file(path)
        if config_file is None and "data_dir" in in_file:
            raise InvalidSetting(f"{path} lies in the data folder, so it cannot say where that is; remove data_dir.")
        found = in_file | found
    values = {setting.name: _value(setting, found.get(setting.name)) for setting in SETTINGS}
    values["storage.packs_dir"] = values["storage.packs_dir"] or values["data_dir"] / "packs"
    values["storage.exports_dir"] = values["storage.exports_dir"] or values["data_dir"] / "exports"
    values["bulk_import.errors_dir"] = values["bulk_import.errors_dir"] or values["data_dir"] / "import-errors"
    values["events.secrets_dir"] = values["events.secrets_dir"] or values["data_dir"] / "event-secrets"
    values["storage.index_dir"] = values["storage.index_dir"] or values["data_dir"]
    values["audit.dir"] = values["audit.dir"] or values["data_dir"] / "audit"
    if "http.listen" not in found and values["http.tls_listen"] is None:
        values["http.listen"] = DEFAULT_LISTEN
    origins = {name: found[name].origin if name in found else "default" for name in BY_NAME}
    return _build(values, origins=origins, config_file=path)


def to_toml(settings: Settings) -> str:
    """Return the settings as the text of a settings file: what is the default as a comment, secrets left out."""
    tables: dict[str, list[str]] = {}
    for setting, text, origin in settings.rows():
        table, _dot, key = setting.name.rpartition(".")
        lines = tables.setdefault(table, [])
        if origin == "default":
            lines.append(f"# {key} = {_quoted(text)}")
        elif not setting.is_secret:
            value = settings.value(setting.name)
            # A relative path in a file starts from the file's folder, which need not be the one that it started from.
            lines.append(f"{key} = {_quoted(str(value.absolute()) if isinstance(value, Path) else text)}")
    return "\n\n".join((f"[{table}]\n" if table else "") + "\n".join(lines) for table, lines in tables.items()) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _from_flags(flags: Mapping[str, str]) -> dict[str, _Found]:
    for name in flags:
        if name not in BY_NAME:
            raise InvalidSetting(_unknown("setting", name, BY_NAME))
    return {name: _Found(text, "flag") for name, text in flags.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for variable, text in environment.items():
        is_other = variable in OTHER_VARIABLES or variable.startswith(SECRET_PREFIX)
        if not variable.startswith(ENVIRONMENT_PREFIX) or is_other:
            continue
        if variable not in BY_VARIABLE:
            raise InvalidSetting(_unknown("environment variable", variable, [*BY_VARIABLE, *OTHER_VARIABLES]))
        found[BY_VARIABLE[variable].name] = _Found(text, f"environment ({variable})")
    return found


def _default_file(found: Mapping[str, _Found]) -> Path | None:
    folder = _value(BY_NAME["data_dir"], found.get("data_dir"))
    path: Path = folder / SETTINGS_FILE
    return path if path.is_file() else None


def _from_file(path: Path) -> dict[str, _Found]:
    try:
        with path.open("rb") as file:
            content = file.read(SETTINGS_FILE_SIZE_MAX_BYTES + 1)
        if len(content) > SETTINGS_FILE_SIZE_MAX_BYTES:
            raise InvalidSetting(f"The settings file {path} is too large to be one.")
        tables = tomllib.loads(content.decode())
    except OSError as error:
        raise InvalidSetting(f"The settings file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"The settings file {path} is not TOML: {error}.") from error
    found: dict[str, _Found] = {}
    for name, raw in _flatten(tables):
        if name not in BY_NAME:
            raise InvalidSetting(f"{path}: {_unknown('setting', name, BY_NAME)}")
        found[name] = _Found(raw, f"file ({path})", path.parent)
    return found


def _flatten(tables: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield dotted names; a setting stands at top level or in one table, so two levels are all there is."""
    for key, value in tables.items():
        if isinstance(value, dict) and key not in BY_NAME:
            yield from ((f"{key}.{inner}", item) for inner, item in value.items())
        else:
            yield key, value


def _unknown(what: str, name: str, known: Mapping[str, object] | list[str]) -> str:
    hint = did_you_mean(name, known, "`isocenter config show` lists them all.")
    return f"There is no {what} {name}; {hint}"


def _value(setting: Setting, found: _Found | None) -> Any:
    if found is None:
        return None if setting.default is None else setting.kind.parse(setting.default)
    try:
        value = setting.kind.parse(found.raw)
    except ValueError as error:
        shown = HIDDEN if setting.is_secret else repr(found.raw)
        raise InvalidSetting(
            f"{setting.name} cannot be {shown} ({found.origin}); expected is {setting.kind.expected}."
        ) from error
    if isinstance(value, Path) and found.folder is not None:
        return found.folder / value
    return value


def _build(values: Mapping[str, Any], *, origins: Mapping[str, str], config_file: Path | None) -> Settings:
    def section(name: str) -> dict[str, Any]:
        prefix = name + "."
        return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}

    return Settings(
        data_dir=values["data_dir"],
        auth=values["auth"],
        http=HttpSettings(**section("http")),
        identity=IdentitySettings(**section("identity")),
        audit=AuditSettings(**section("audit")),
        archive=ArchiveSection(**section("archive")),
        azure=AzureSettings(**section("azure")),
        storage=StorageSettings(**section("storage")),
        bulk_import=BulkImportSettings(**section("bulk_import")),
        events=EventSettings(**section("events")),
        fhir=FhirSettings(**section("fhir")),
        dicom=DicomSettings(**section("dicom")),
        routing=RoutingSettings(**section("routing")),
        worklist=WorklistSettings(**section("worklist")),
        completeness=CompletenessSettings(**section("completeness")),
        mllp=MllpSettings(**section("mllp")),
        console=ConsoleSettings(**section("console")),
        viewer=ViewerSettings(**section("viewer")),
        log=LogSettings(**section("log")),
        origins=origins,
        config_file=config_file,
    )
