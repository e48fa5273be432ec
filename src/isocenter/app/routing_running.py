"""Join routing: the channels of the configuration with the archive, and what sends what they plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import structlog

from isocenter.app.channels.configuration import ConfigurationStore
from isocenter.app.channels.desk import RunningDesk
from isocenter.app.channels.dimse_source import Associations, DimseChannelSource
from isocenter.app.channels.folder_source import FolderChannelSource
from isocenter.app.channels.gate import Gate
from isocenter.app.channels.router import Router
from isocenter.app.channels.source import Source
from isocenter.app.channels.stored_source import FeedReader, StoredChannelSource, Timetable
from isocenter.app.channels.stow_source import StowChannelSource
from isocenter.app.channels.translator_source import TranslatorSource
from isocenter.app.channels.unit import TranslatorBasis, Unit
from isocenter.app.console.router_backlogs import BacklogHistory, watching_backlogs
from isocenter.app.delivering import running_deliveries
from isocenter.app.secrets_by_name import ReadSecret, SecretsByName
from isocenter.app.settings import Settings
from isocenter.app.translating.running import TranslatorNeeds
from isocenter.archive.archive import Archive
from isocenter.domain.audit import AuditRecord
from isocenter.routing.configuration.channel import (
    DimseSource,
    FeedSource,
    FolderSource,
    ScheduleSource,
    StowSource,
)
from isocenter.web.pages.router_jobs import Jobs

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Routing:
    """What routes in a running node."""

    router: Router
    desk: RunningDesk
    notify_all: Callable[[], None]
    """Tells every destination that something may be there for it."""
    backlogs: BacklogHistory
    """How much waited for each destination lately, for whoever draws it."""
    jobs: Jobs
    """What people start in the console and do not wait for."""


@contextmanager
def running_routing(
    archive: Archive,
    settings: Settings,
    associations: Associations,
    translators: TranslatorNeeds,
    *,
    audit: Callable[[AuditRecord], None] | None = None,
) -> Iterator[Routing | None]:
    """Route for the length of a block, nothing where the settings name no configuration.

    Raises InvalidConfiguration, StorageFailed.
    """
    if settings.routing.configuration is None:
        yield None
        return
    store = ConfigurationStore(settings, now=archive.clock.now)
    current = store.load()
    for warning in current.warnings:
        _log.warning("router.warning", problem=str(warning))
    for problem in store.missing_secrets(current.configuration):
        _log.warning("router.secret_missing", problem=problem)

    secrets = SecretsByName(settings.data_dir, os.environ)
    sources = _Sources(archive, settings, associations, translators, secrets.read, audit)
    with (
        running_deliveries(
            archive,
            settings,
            current.configuration,
            read_secret=secrets.read,
            configuration_of=store.configuration_of,
        ) as deliveries,
        watching_backlogs(archive.index.ledger.tallies) as backlogs,
        closing(Jobs(now=lambda: archive.clock.now().timestamp())) as jobs,
    ):
        router = Router(
            store,
            current,
            clock=archive.clock,
            make_source=sources.make,
            on_configuration=lambda configuration: deliveries.reconfigure(configuration.destinations),
            notify=deliveries.notify,
        )
        yield Routing(router, RunningDesk(archive, router, deliveries), deliveries.notify_all, backlogs, jobs)


@dataclass(frozen=True, slots=True)
class _Sources:
    """What sources of channels are made with."""

    archive: Archive
    settings: Settings
    associations: Associations
    translators: TranslatorNeeds
    read_secret: ReadSecret
    audit: Callable[[AuditRecord], None] | None

    def make(self, unit: Unit, gate: Gate, is_new: bool) -> Source:
        """Return what takes instances in for a channel, or the listener of a translator; not open yet."""
        if isinstance(unit.basis, TranslatorBasis):
            return TranslatorSource(unit.basis, self.translators, self.read_secret)
        name, archive = unit.name, self.archive
        match unit.channel.source:
            case DimseSource() as source:
                return DimseChannelSource(source, gate, self.associations)
            case StowSource():
                return StowChannelSource(name)
            case FolderSource() as source:
                return FolderChannelSource(source, gate, archive, data_dir=self.settings.data_dir, audit=self.audit)
            case FeedSource() as source:
                address = f"partition {source.partition}" if source.partition else "every partition"
                reader = FeedReader(source, gate, archive, is_new=is_new)
                return StoredChannelSource(reader, name=name, address=address)
            case ScheduleSource() as source:
                timetable = Timetable(source, gate, archive, is_new=is_new)
                return StoredChannelSource(timetable, name=name, address=", ".join(source.at))
