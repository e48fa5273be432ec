"""The one table of settings: name, kind, default, help. Everything else about settings is derived from it."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.app.dicom_kinds import AE_ENDPOINT, FILE, FOLDER, REMOTES, TEXT, number_of
from isocenter.app.event_kinds import SUBSCRIBERS
from isocenter.app.http_kinds import (
    AUDIENCES,
    HEADERS,
    NETWORKS,
    OPTIONAL_ADDRESS,
    ORIGINS,
    ROLE_NAMES,
    WEB_ADDRESS,
    WEB_ADDRESSES,
)
from isocenter.app.setting_kinds import DURATION, NAMES, PATH, SIZE, Kind, choice_of
from isocenter.dimse.shell.tls import DEFAULT_PROFILE, PROFILES
from isocenter.domain.application_entity import STORE_ASSOCIATIONS_MAX, UserIdentityRule

ENVIRONMENT_PREFIX = "ISOCENTER_"

OTHER_VARIABLES = {
    "ISOCENTER_AUTHORITY": "where that application gets its tokens",
    "ISOCENTER_CA": "the certificates of authorities that commands trust besides those of the system, in PEM form",
    "ISOCENTER_CLIENT_ID": "the application as which `store`, `find`, `get` and `delete` ask for a token",
    "ISOCENTER_CLIENT_SECRET": "its secret",
    "ISOCENTER_CONFIG": "the settings file, as `--config` names it",
    "ISOCENTER_FAILPOINTS": "where a node is to fail, for crash tests",
    "ISOCENTER_SHARED_DATA": "the folder of sample data for the tests",
    "ISOCENTER_PASSWORD": "the password of the user that `--user` names to a DIMSE peer",
    "ISOCENTER_FROM_AUTHORITY": "where the source of `migrate` gets its tokens",
    "ISOCENTER_FROM_CLIENT_ID": "the application as which `migrate` asks for a token for its source",
    "ISOCENTER_FROM_CLIENT_SECRET": "its secret",
    "ISOCENTER_FROM_TOKEN": "the token that `migrate` shows its source",
    "ISOCENTER_TO_AUTHORITY": "where the target of `migrate` gets its tokens",
    "ISOCENTER_TO_CLIENT_ID": "the application as which `migrate` asks for a token for its target",
    "ISOCENTER_TO_CLIENT_SECRET": "its secret",
    "ISOCENTER_TO_TOKEN": "the token that `migrate` shows its target",
    "ISOCENTER_TOKEN": "the token that `store`, `find`, `get` and `delete` show",
    "ISOCENTER_URL": "the archive that `store`, `find`, `get` and `delete` talk to where no address is given",
}
"""Variables that begin like a setting's and are none."""
SECRET_PREFIX = "ISOCENTER_SECRET_"  # noqa: S105 - how the variables begin that hold one
"""So are those that hold a secret by its name (`secrets_by_name.py`)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `default` is text that its kind reads, None where it is derived from another setting."""

    name: str
    kind: Kind
    default: str | None
    help: str
    derived_from: str = ""
    """Says in words what the default is where it is derived."""
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """Return the environment variable that sets it."""
        return ENVIRONMENT_PREFIX + self.name.replace(".", "_").upper()


SETTINGS = (
    Setting(
        "data_dir",
        PATH,
        "./isocenter-data",
        "The folder that a node keeps everything in: index, packs, and its settings file `isocenter.toml`.",
    ),
    Setting(
        "http.listen",
        OPTIONAL_ADDRESS,
        None,
        "Where the web server listens without TLS (`--http`); port 0 takes a free one. Beyond this machine only for a "
        "proxy of `http.trusted_proxies`.",
        derived_from="127.0.0.1:8080, and nothing where `http.tls_listen` is set",
    ),
    Setting(
        "http.tls_listen",
        OPTIONAL_ADDRESS,
        "",
        "Where the web server listens over TLS (`--https`). Without a certificate of yours it makes one, certified by "
        "an authority of its own that clients must be told to trust (`isocenter certificate export`).",
    ),
    Setting("http.tls_certificate", FILE, "", "A certificate for `http.tls_listen`, with its chain, in PEM form."),
    Setting("http.tls_key", FILE, "", "The private key of that certificate, in PEM form."),
    Setting("http.tls_key_password", TEXT, "", "The password of the private key, if it has one.", is_secret=True),
    Setting(
        "http.allowed_hosts",
        NAMES,
        "",
        "Further host names under which the node may be addressed. With `auth` off only loopback names, IP addresses "
        "and these are served, so that a web page cannot reach the node through a name of its own (DNS rebinding). "
        "Else the embedded identity provider issues tokens under these names, and the node's own certificate is for "
        "them too.",
    ),
    Setting(
        "http.public_url",
        WEB_ADDRESS,
        "",
        "The one address under which clients know the node, where there is one: the identity provider then is that "
        "issuer, whatever name is used to ask it.",
    ),
    Setting(
        "http.trusted_proxies",
        NETWORKS,
        "",
        "Proxies that end TLS before the node, by address or network: what they forward (`X-Forwarded-…`) is believed, "
        "and they alone may use `http.listen` from another machine. Proxies on this machine always may.",
    ),
    Setting(
        "http.cors_origins",
        ORIGINS,
        "",
        "Origins of web pages elsewhere that may call the node from a browser; `*` is any.",
    ),
    Setting(
        "http.cors_methods",
        HEADERS,
        "GET,HEAD,POST,PUT,PATCH,DELETE",
        "The methods that they may use.",
    ),
    Setting(
        "http.cors_headers",
        HEADERS,
        "*",
        "The headers that they may send; `*` is any.",
    ),
    Setting(
        "http.cors_credentials",
        choice_of("on", "off"),
        "off",
        "Whether they may send credentials that the browser keeps; not with `*` as origin. Tokens that a page sets "
        "itself need it not, and sessions of the console never count for other origins.",
    ),
    Setting("http.cors_max_age_s", DURATION, "10min", "How long browsers may keep what they were told of this."),
    Setting(
        "auth",
        choice_of("auto", "off", "required"),
        "auto",
        "Whether callers must prove who they are, by a token or by signing in. `auto`: as soon as the node can be "
        "reached from another machine. `off`: nobody has to, and the node serves loopback only. `required`: also on "
        "loopback.",
    ),
    Setting(
        "identity.issuers",
        WEB_ADDRESSES,
        "",
        "External OpenID Connect issuers (Entra ID, Keycloak) whose tokens are accepted, by the addresses of their "
        "discovery documents (`https://…/.well-known/openid-configuration`). With none, the node is its own identity "
        "provider.",
    ),
    Setting(
        "identity.audiences",
        AUDIENCES,
        "https://dicom.healthcareapis.azure.com",
        "The services that tokens may be for; the first is told to clients that ask. A slash at the end does not "
        "matter.",
    ),
    Setting(
        "identity.role_claim",
        TEXT,
        "roles",
        "Where an external issuer's tokens name roles; dots lead into objects, as in `realm_access.roles`.",
    ),
    Setting(
        "identity.role_names",
        ROLE_NAMES,
        "",
        "What roles or groups at an external issuer stand for. The roles' own names, their identifiers at Azure, and "
        "`globalAdmin` and `globalReader` need no row.",
    ),
    Setting(
        "identity.client_id",
        TEXT,
        "",
        "As which application people sign in to the console at an external issuer, which must allow the redirect URI "
        "`https://HOST/login/callback`.",
    ),
    Setting("identity.client_secret", TEXT, "", "The secret of that application, if it has one.", is_secret=True),
    Setting(
        "identity.session_idle_timeout_s",
        DURATION,
        "60min",
        "How long a session of the console lasts without a request.",
    ),
    Setting("identity.session_timeout_s", DURATION, "12h", "How long a session of the console lasts at most."),
    Setting(
        "audit.log",
        choice_of("auto", "on", "off"),
        "auto",
        "Whether every request leaves records in the audit log. `auto`: where callers must prove who they are.",
    ),
    Setting(
        "audit.dir",
        PATH,
        None,
        "The folder of the audit log: a file a day, one JSON object a line. It may name patients, as searches do.",
        derived_from="`audit` in `data_dir`",
    ),
    Setting(
        "audit.keep_s",
        DURATION,
        "2192d",
        "How long the audit log is kept: six years, as HIPAA asks of documentation.",
    ),
    Setting(
        "archive.duplicate_policy",
        choice_of("refuse", "replace", "keep"),
        "refuse",
        "What to do with other bytes under the identifiers of a stored instance: `refuse` them, `replace` the stored "
        "ones, or `keep` both (the new one answers, the first stays as the original version). The same bytes are "
        "always harmless.",
    ),
    Setting(
        "archive.preamble",
        choice_of("keep", "zero"),
        "keep",
        "What becomes of the 128 bytes before a file, which mean nothing in DICOM and can make it a program or a page "
        "as well: `keep` them bit for bit, or overwrite them with `zero` as it comes in.",
    ),
    Setting(
        "archive.instance_size_max_bytes",
        SIZE,
        "4GiB",
        "The largest instance that is taken in; the default is the limit of Azure's service.",
    ),
    Setting(
        "archive.spool_threshold_bytes",
        SIZE,
        "8MiB",
        "An instance above this goes to disk while it arrives, so that memory stays flat.",
    ),
    Setting(
        "archive.erase_after_s",
        DURATION,
        "60s",
        "How long the bytes of a deleted instance stay for readers in the middle of them, before they are destroyed.",
    ),
    Setting(
        "archive.transcode_size_max_bytes",
        SIZE,
        "100MiB",
        "Above this size an instance is given in its stored transfer syntax only.",
    ),
    Setting(
        "archive.metadata_cache_size_bytes",
        SIZE,
        "64MiB",
        "Memory for metadata that was asked for lately: half for instances, half for whole answers.",
    ),
    Setting(
        "azure.full_item_validation",
        choice_of("off", "on"),
        "off",
        "Whether a store under `/v1/` and `/v2/` refuses an instance with any element that is not valid for its VR "
        "(`EnableFullDicomItemValidation`). `off`: version 1 looks at what it searches by, and version 2 keeps the "
        "instance and leaves the element out of metadata and search.",
    ),
    Setting(
        "azure.study_mismatch_reason",
        choice_of("43264", "43265"),
        "43264",
        "The failure reason of an instance of another study than the one it is stored to under `/v1/` and `/v2/`: the "
        "service answers 43264, its documentation says 43265.",
    ),
    Setting(
        "azure.include_all_with_others",
        choice_of("accept", "refuse"),
        "accept",
        "What to do with `includefield=all` beside other fields in a search under `/v1/` and `/v2/`: the documentation "
        "says that `all` wins, the service refuses.",
    ),
    Setting(
        "azure.partitions",
        choice_of("off", "on"),
        "off",
        "Whether studies and workitems lie in data partitions (`EnableDataPartitions`): paths under `/v1/` and `/v2/` "
        "then need `partitions/NAME` before them, and the first store begins a partition. Under `/dicom-web/` a path "
        "without it means the default partition, `Microsoft.Default`. Cannot be switched off again once there is a "
        "second partition.",
    ),
    Setting(
        "azure.workitem_body",
        choice_of("object", "array"),
        "object",
        "How a workitem is retrieved under `/v1/` and `/v2/`: as an `object`, as the service does and its clients "
        "expect, or in an `array`, as the standard says. Under `/dicom-web/` it always comes in an array.",
    ),
    Setting(
        "azure.export",
        choice_of("on", "off"),
        "on",
        "Whether callers may export to a folder of this machine or to a container (`EnableExport`).",
    ),
    Setting(
        "azure.operations",
        choice_of("on", "off"),
        "on",
        "Whether callers may begin operations: reindexes of extended query tags, exports, updates "
        "(`DisableOperations`). Those that were begun go on.",
    ),
    Setting(
        "azure.extended_query_tags_max",
        number_of(1, 1024),
        "128",
        "How many extended query tags there may be (`ExtendedQueryTag:MaxAllowedCount`). Each is looked for in every "
        "instance that comes in.",
    ),
    Setting(
        "storage.packs_dir",
        PATH,
        None,
        "The folder of the packs, which hold the instances; may lie on a volume of its own.",
        derived_from="`packs` in `data_dir`",
    ),
    Setting(
        "storage.index_dir",
        PATH,
        None,
        "The folder of the index; may lie on a faster volume than the packs.",
        derived_from="`data_dir`",
    ),
    Setting(
        "storage.exports_dir",
        PATH,
        None,
        "The folder below which exports to a folder are written.",
        derived_from="`exports` in `data_dir`",
    ),
    Setting(
        "storage.reserve_bytes",
        SIZE,
        "256MiB",
        "Room that a store leaves free on the volumes of packs and index: enough for the index to commit deletes and "
        "for the next start to repair itself. Below it new instances are refused, and everything stored is served.",
    ),
    Setting(
        "storage.pack_size_bytes",
        SIZE,
        "1GiB",
        "A pack that has reached this size is closed and the next one is begun.",
    ),
    Setting(
        "bulk_import.dir",
        FOLDER,
        "",
        "A folder whose DICOM files (`.dcm`, also in folders below it) are stored as by STOW and removed once they are "
        "durable; nothing: none is.",
    ),
    Setting(
        "bulk_import.errors_dir",
        PATH,
        None,
        "The folder that files go to which cannot be stored, each with a message beside it.",
        derived_from="`import-errors` in `data_dir`",
    ),
    Setting(
        "bulk_import.settle_s",
        DURATION,
        "5s",
        "How long a file in that folder must not have changed before it is read. Who writes under another name and "
        "renames the file when it is whole may set 0s.",
    ),
    Setting(
        "bulk_import.container_url",
        TEXT,
        "",
        "The address of a container of Azure Blob Storage to import from, perhaps with a shared access signature.",
        is_secret=True,
    ),
    Setting(
        "bulk_import.error_container_url",
        TEXT,
        "",
        "The address of the container for what cannot be stored.",
        is_secret=True,
    ),
    Setting(
        "bulk_import.connection_string",
        TEXT,
        "",
        "The connection string of a storage account, instead of both addresses.",
        is_secret=True,
    ),
    Setting("bulk_import.container", TEXT, "import-container", "The container of that account to import from."),
    Setting(
        "bulk_import.error_container",
        TEXT,
        "error-container",
        "The container of that account for what cannot be stored.",
    ),
    Setting("bulk_import.partition", TEXT, "Microsoft.Default", "The data partition that files are imported into."),
    Setting("bulk_import.poll_interval_s", DURATION, "2s", "How often folder and container are looked at."),
    Setting(
        "events.subscribers",
        SUBSCRIBERS,
        "",
        "Who is told of images that are created, updated or deleted, by HTTP POST at least once and in order. `schema` "
        "is the envelope, CloudEvents 1.0 (`cloudevents`) or that of Event Grid (`eventgrid`); the receiver must agree "
        "by the handshake of that schema unless `validation=off`. `secret` names a file of `events.secrets_dir`, whose "
        "content is shown as a bearer token, or stands for `{secret}` in the address. `types` are the events that are "
        "wanted, `batch` how many may come at once.",
    ),
    Setting(
        "events.secrets_dir",
        PATH,
        None,
        "The folder of those secrets, a file each.",
        derived_from="`event-secrets` in `data_dir`",
    ),
    Setting(
        "events.service_host",
        TEXT,
        "",
        "How events name this node (`serviceHostName`); nothing: as in `http.public_url`, else by where it listens.",
    ),
    Setting(
        "events.source",
        TEXT,
        "/workspaces/isocenter",
        "What events have as `source` or `topic`; at Azure it is the workspace.",
    ),
    Setting(
        "events.age_max_s",
        DURATION,
        "7d",
        "How long a receiver that does not answer is kept trying with an event; older ones are left out, and counted. "
        "They stay in the change feed.",
    ),
    Setting(
        "fhir.url",
        WEB_ADDRESS,
        "",
        "The base address of a FHIR R4 server that is to know every study as ImagingStudy, with its Patient and "
        "Endpoint; nothing: none is.",
    ),
    Setting(
        "fhir.dicomweb_url",
        WEB_ADDRESS,
        "",
        "Where those who read the FHIR server find the images (`Endpoint.address`); nothing: `/v2` below "
        "`http.public_url`, or below where the node listens if that is on this machine. Another address is another "
        "source: what was written under the one before stays.",
    ),
    Setting(
        "fhir.patient_system",
        TEXT,
        "",
        "The system of PatientID, by which a Patient is found (`Patient.identifier.system`), for example "
        "`urn:oid:1.2.276.0.76`. Needed unless `fhir.patient_issuer` is on; then for instances without an issuer.",
    ),
    Setting(
        "fhir.patient_issuer",
        choice_of("off", "on"),
        "off",
        "Whether IssuerOfPatientID is that system, where an instance has one.",
    ),
    Setting(
        "fhir.timezone_offset",
        TEXT,
        "",
        "The offset from UTC, for example `+01:00`, of instances without TimezoneOffsetFromUTC; nothing: only the "
        "date of such a study or series is written, for FHIR knows no time without an offset.",
    ),
    Setting(
        "fhir.enforce_validation",
        choice_of("off", "on"),
        "off",
        "Whether an instance is left out when any mapped attribute has a value that is not valid (`on`), or that "
        "attribute alone (`off`). Required ones always decide over the instance.",
    ),
    Setting(
        "fhir.instances",
        choice_of("list", "count"),
        "list",
        "Whether a series lists its instances or tells only how many there are: with thousands of them an "
        "ImagingStudy has megabytes, which are sent with each change.",
    ),
    Setting(
        "fhir.observations",
        choice_of("on", "off"),
        "on",
        "Whether structured reports of radiation doses become Observations: one for the report, one for each "
        "irradiation event.",
    ),
    Setting(
        "fhir.poll_interval_s",
        DURATION,
        "2s",
        "How often the change feed is looked at: what happens to a study in between is written at once.",
    ),
    Setting(
        "fhir.token_url",
        WEB_ADDRESS,
        "",
        "The token endpoint of the FHIR server's identity provider (OAuth 2.0 client credentials); nothing: no token "
        "is shown.",
    ),
    Setting("fhir.client_id", TEXT, "", "Who this node is there."),
    Setting("fhir.client_secret", TEXT, "", "Its secret there.", is_secret=True),
    Setting(
        "fhir.scope",
        TEXT,
        "",
        "What the token is for; nothing: `/.default` below `fhir.url`, as Entra ID has it. SMART servers want "
        "`system/*.cruds` or the like.",
    ),
    Setting(
        "dicom.listen",
        AE_ENDPOINT,
        "",
        "The AE title of this node and where it listens for DICOM associations (`--dicom`); nothing: it does not.",
    ),
    Setting(
        "dicom.tls_listen",
        AE_ENDPOINT,
        "",
        "The same over TLS, beside `dicom.listen` or instead of it; needs `dicom.tls_certificate` and `dicom.tls_key`.",
    ),
    Setting(
        "dicom.remotes",
        REMOTES,
        "",
        "The application entities that may call and that instances may be moved to (`--remote`, which can be given "
        "again): their AE titles and addresses. A host of `*` stands for any, and without a port an AE only calls. "
        "Options: `services` are what it may ask for (echo, store, find, move, get, commitment, worklist, mpps; all), "
        "`destinations` the AE titles that it may have instances moved to (all), "
        "`tls=on` opens associations to it over TLS, `subject` is a name that its certificate must have (common name, "
        "DNS name, IP address, URI, whole subject, or `sha256:` and its fingerprint; given again, one of several), "
        "`user` is `dicom.user_identity` for it, `associations` how many a move to it may open. What is not a letter "
        "or a number in a name may be written as `%3B`.",
    ),
    Setting(
        "dicom.unknown_callers",
        choice_of("auto", "accept", "refuse"),
        "auto",
        "Whether an AE that is not in `dicom.remotes` may call. `auto`: only where the node listens to this machine "
        "alone. Such a caller may use every service, but nothing is moved to it.",
    ),
    Setting(
        "dicom.called_ae_title",
        choice_of("exact", "any"),
        "exact",
        "Whether callers must use the node's own AE title, or `any` will do.",
    ),
    Setting(
        "dicom.caller_address",
        choice_of("check", "ignore"),
        "check",
        "Whether an AE of `dicom.remotes` must call from its host; `ignore` where addresses are translated on the way.",
    ),
    Setting(
        "dicom.user_identity",
        choice_of(*UserIdentityRule),
        "ignore",
        "What becomes of the user that a caller names in its request for an association (PS3.7 D.3.3.7). `verify`: "
        "people and applications of `isocenter user` and `isocenter app` by name and passcode, or a token; what they "
        "may not do, their association may not; a name alone must be known. `require`: one must be named and prove "
        "who it is. `user=` in `dicom.remotes` sets it for one AE.",
    ),
    Setting(
        "dicom.private_sop_classes",
        choice_of("accept", "refuse"),
        "accept",
        "Whether instances of SOP classes that the standard does not know are taken in.",
    ),
    Setting(
        "dicom.worklist_steps_leave",
        choice_of("never", "completed", "started"),
        "completed",
        "When a scheduled step is no longer answered to devices that ask for work: once a performed procedure step "
        "that names it is `completed` or has `started`, or `never`. A discontinued one stays.",
    ),
    Setting(
        "dicom.associations_max",
        number_of(1, 10_000),
        "1000",
        "Associations that may be open at a time; further ones are rejected for the time being.",
    ),
    Setting(
        "dicom.associations_per_ae_max",
        number_of(1, 10_000),
        "500",
        "Of these, how many one calling AE title may have.",
    ),
    Setting(
        "dicom.store_associations_max",
        number_of(1, STORE_ASSOCIATIONS_MAX),
        "1",
        "Associations that a move may open to its destination at a time. More are faster where the destination takes "
        "them; some serve only one and let others wait.",
    ),
    Setting(
        "dicom.acse_timeout_s",
        DURATION,
        "30s",
        "How long to wait for an association to be requested, answered, released or closed.",
    ),
    Setting(
        "dicom.dimse_timeout_s",
        DURATION,
        "60s",
        "How long to wait for a response, and for the rest of a message that has begun.",
    ),
    Setting("dicom.idle_timeout_s", DURATION, "120s", "How long an association may stay open without a request."),
    Setting("dicom.connect_timeout_s", DURATION, "10s", "How long to wait for a connection to another AE."),
    Setting(
        "dicom.tls_profile",
        choice_of(*PROFILES),
        DEFAULT_PROFILE,
        "The security profile of TLS connections (PS3.15 annex B). `rfc9325`: TLS 1.2 and 1.3 (B.12). "
        "`non-downgrading`: the same with the cipher suites of B.10. `extended`: the stricter ones of B.11. `bcp195`: "
        "whatever BCP 195 allows from TLS 1.2 on (B.9).",
    ),
    Setting("dicom.tls_certificate", FILE, "", "The certificate of this node, with its chain, in PEM form."),
    Setting("dicom.tls_key", FILE, "", "The private key of that certificate, in PEM form."),
    Setting("dicom.tls_key_password", TEXT, "", "The password of the private key, if it has one.", is_secret=True),
    Setting(
        "dicom.tls_authorities",
        FILE,
        "",
        "The certificates of those who certify other AEs, in PEM form; nothing: those that the system trusts.",
    ),
    Setting(
        "dicom.tls_client_certificate",
        choice_of("required", "optional", "ignored"),
        "required",
        "Whether callers over TLS must show a certificate that `dicom.tls_authorities` vouches for.",
    ),
    Setting(
        "routing.configuration",
        FILE,
        "",
        "The TOML file of channels, rules, destinations and transforms that the node routes by; nothing: it routes "
        "nothing. Secrets that it names are variables `ISOCENTER_SECRET_NAME` or files in `secrets` of `data_dir`.",
    ),
    Setting(
        "worklist.ris",
        TEXT,
        "",
        "The AE title, of `dicom.remotes`, of the system that keeps the work list: queries of modalities are passed on "
        "to it, and while it is away what it answered lately is answered in its place.",
    ),
    Setting(
        "worklist.cache_max_age_s",
        DURATION,
        "24h",
        "How long what it answered may stand in for it.",
    ),
    Setting(
        "worklist.timeout_s",
        DURATION,
        "10s",
        "How long a modality waits for it, before it is taken to be away.",
    ),
    Setting(
        "worklist.performed_steps",
        choice_of("forward", "keep"),
        "forward",
        "Whether it is told of performed procedure steps (MPPS) as well, in order and until it has taken them.",
    ),
    Setting(
        "completeness.tracking",
        choice_of("auto", "on", "off"),
        "auto",
        "Whether studies are watched until they are whole, by evidence. `auto`: where the node routes.",
    ),
    Setting(
        "mllp.listen",
        OPTIONAL_ADDRESS,
        "",
        "Where HL7 messages are taken over MLLP: orders, appointments and admissions, which trigger the rules for "
        "prefetching of `routing.configuration`.",
    ),
    Setting(
        "mllp.senders",
        NETWORKS,
        "",
        "Who may send them, by address or network; this machine always may. MLLP knows no other evidence.",
    ),
    Setting(
        "console.name",
        TEXT,
        "",
        "What the console calls this node, so that those of a network are told apart: `PACS`, `Router`, `Cloud`.",
    ),
    Setting(
        "viewer.investigational_use_dialog",
        choice_of("never", "always"),
        "never",
        "Whether the viewer opens with its notice that it is for investigational use only.",
    ),
    Setting(
        "log.level",
        choice_of("debug", "info", "warning", "error"),
        "info",
        "The least severe events that are logged.",
    ),
    Setting(
        "log.format",
        choice_of("console", "json"),
        "console",
        "How events are written: for people (`console`) or one JSON object a line (`json`).",
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
BY_VARIABLE = {setting.variable: setting for setting in SETTINGS}
