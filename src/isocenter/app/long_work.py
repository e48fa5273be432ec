"""Join what works beside requests: operations and the desk where they are handed in, events, imports, a cast."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from isocenter.app.eventing import running_events
from isocenter.app.fhir_casting import running_cast
from isocenter.app.importing import running_imports
from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive
from isocenter.archive.bulk_import import ImportCounts
from isocenter.archive.event_delivery import EventCounts
from isocenter.archive.export import Exporter
from isocenter.archive.operations import OperationDesk, OperationRunner, WorkCounts
from isocenter.archive.query_tag import QueryTagDesk, QueryTagRemover
from isocenter.archive.query_tag_reindex import QueryTagReindexer
from isocenter.archive.update import Updater
from isocenter.domain.audit import AuditRecord
from isocenter.fhir.cast_record import CastCounts
from isocenter.ports.failpoints import failpoints_from_environment
from isocenter.storage.sinks.open_sink import SinkFolder
from isocenter.storage.sinks.secrets import SecretFiles

SECRETS_FOLDER = "secrets"


@dataclass(frozen=True, slots=True)
class LongWork:
    """What the edges need of it."""

    desk: OperationDesk
    exporter: Exporter | None
    """None where exports are switched off."""
    updater: Updater
    query_tags: QueryTagDesk
    imports: ImportCounts = field(default_factory=ImportCounts)
    events: EventCounts = field(default_factory=EventCounts)
    exported: WorkCounts = field(default_factory=WorkCounts)
    fhir: CastCounts = field(default_factory=CastCounts)


@contextmanager
def running_long_work(
    archive: Archive, settings: Settings, *, audit: Callable[[AuditRecord], None] | None = None
) -> Iterator[LongWork]:
    """Carry out operations for the length of a block, those of an earlier process first, events, imports, a cast."""
    secrets = SecretFiles(settings.data_dir / SECRETS_FOLDER)
    exporter = Exporter(archive, open_sink=SinkFolder(settings.storage.exports_dir), secrets=secrets)
    updater = Updater(archive, secrets=secrets, failpoints=failpoints_from_environment(os.environ), audit=audit)
    updater.discard_strays()
    reindexer = QueryTagReindexer(archive)
    with (
        closing(OperationRunner(archive.operations, archive.clock, [exporter, updater, reindexer])) as runner,
        closing(QueryTagRemover(archive)) as remover,
        running_events(archive, settings) as events,
        running_imports(archive, settings, audit=audit) as imports,
        running_cast(archive, settings) as fhir,
    ):
        desk = OperationDesk(archive.operations, runner, archive.clock, is_open=settings.azure.operations == "on")
        query_tags = QueryTagDesk(archive, desk, remover, count_max=settings.azure.extended_query_tags_max)
        yield LongWork(
            desk,
            exporter if settings.azure.export == "on" else None,
            updater,
            query_tags,
            imports=imports,
            events=events,
            exported=exporter.counts,
            fhir=fhir,
        )
