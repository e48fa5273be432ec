"""The one table of settings: name, kind, default, help. Everything else about settings is derived from it."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.app.setting_kinds import ADDRESS, DURATION, NAMES, PATH, SIZE, Kind, choice_of

ENVIRONMENT_PREFIX = "ISOCENTER_"

OTHER_VARIABLES = {
    "ISOCENTER_CONFIG": "the settings file, as `--config` names it",
    "ISOCENTER_FAILPOINTS": "where a node is to fail, for crash tests",
    "ISOCENTER_SHARED_DATA": "the folder of sample data for `isocenter demo` and the tests",
    "ISOCENTER_URL": "the archive that `store`, `find`, `get` and `delete` talk to where no address is given",
}
"""Variables that begin like a setting's and are none."""


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
    Setting("http.listen", ADDRESS, "127.0.0.1:8080", "Where the web server listens; port 0 takes a free one."),
    Setting(
        "http.allowed_hosts",
        NAMES,
        "",
        "Further host names under which the node may be addressed. With `auth` off only loopback names, IP addresses "
        "and these are served, so that a web page cannot reach the node through a name of its own (DNS rebinding).",
    ),
    Setting(
        "auth",
        choice_of("off"),
        "off",
        "How callers prove who they are. `off`: nobody has to, and the node serves loopback only.",
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
        "Memory for the metadata of instances that were asked for lately.",
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
