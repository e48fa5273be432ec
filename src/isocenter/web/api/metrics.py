"""What a node counts, in the text form of Prometheus: associations, requests, instances, imports, events,
operations, erasures, the cast to FHIR, the process.

Nothing is counted here: values are read from those who do the work when somebody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from isocenter.archive.bulk_import import ImportCounts
from isocenter.archive.event_delivery import EventCounts
from isocenter.archive.operations import WorkCounts
from isocenter.dicomweb.server.counts import LENGTHS_BYTES, TransactionCounts
from isocenter.dimse.shell.record import AssociationRegister, Side
from isocenter.domain.errors import IsocenterError
from isocenter.domain.principal import Principal
from isocenter.fhir.cast_record import CastCounts
from isocenter.web.api.associations import HEADERS, error_response, message_name
from isocenter.web.api.router_metrics import RouterObserved

METRICS_PATH = "/metrics"
Samples = Mapping[tuple[str, ...], float]
Authenticate = Callable[[Mapping[str, str]], Principal]


@dataclass(frozen=True, slots=True)
class Observed:
    """Those who know what is counted."""

    register: AssociationRegister
    imports: ImportCounts = field(default_factory=ImportCounts)
    events: EventCounts = field(default_factory=EventCounts)
    transactions: TransactionCounts = field(default_factory=TransactionCounts)
    exports: WorkCounts = field(default_factory=WorkCounts)
    updates: WorkCounts = field(default_factory=WorkCounts)
    fhir: CastCounts = field(default_factory=CastCounts)
    router: RouterObserved = field(default_factory=RouterObserved)
    erasure_age_s: Callable[[], float] = lambda: 0.0
    """How long ago what waits longest to be erased was deleted or replaced; 0 where nothing waits."""


class Kind(Enum):
    """How the values of a metric move."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name, what it means, and the labels that tell its samples apart."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Observed], Samples]
    kind: Kind = Kind.COUNTER
    total: Callable[[Observed], float] | None = None
    """What the values of a histogram sum up to."""


def _live(observed: Observed) -> Samples:
    counts = Counter(record.side for record in observed.register.live)
    return {(side,): counts[side] for side in Side}


def _bytes(observed: Observed) -> Samples:
    totals = observed.register.totals
    return {("received",): totals.bytes_received, ("sent",): totals.bytes_sent}


def _statuses(observed: Observed) -> Samples:
    totals = observed.register.totals
    return {
        (direction, message_name(name), f"{status:04X}"): count
        for direction, statuses in (("received", totals.statuses_received), ("sent", totals.statuses_sent))
        for (name, status), count in sorted(statuses.items())
    }


def _events(observed: Observed) -> Samples:
    return {
        (name, result): count
        for name, counts in sorted(observed.events.by_name.items())
        for result, count in (("delivered", counts.delivered), ("expired", counts.expired))
    }


def _transferred(observed: Observed) -> Samples:
    counts = observed.transactions
    return {
        (operation, direction): count
        for direction, by_operation in (("received", counts.received_bytes), ("sent", counts.sent_bytes))
        for operation, count in sorted(by_operation.copy().items())
    }


def _lengths(observed: Observed) -> Samples:
    """Return how many instances are of a length or shorter, as Prometheus wants the classes of a histogram."""
    counts, ends = observed.transactions.lengths.copy(), (*map(str, LENGTHS_BYTES), "+Inf")
    return {(end,): float(sum(counts[index] for index in range(number + 1))) for number, end in enumerate(ends)}


def _while_cast(observed: Observed, value: float) -> Samples:
    """Return a value of the cast; nothing where there is none."""
    return {(): value} if observed.fhir.is_on else {}


FAMILIES = (
    Family(
        "isocenter_dicomweb_requests_total",
        "Requests by operation (the sub-type of the audit log) and HTTP status.",
        ("operation", "status"),
        lambda observed: dict(sorted(observed.transactions.requests.copy().items())),
    ),
    Family(
        "isocenter_dicomweb_bytes_total",
        "Bytes in bodies by operation and direction: received or sent.",
        ("operation", "direction"),
        _transferred,
    ),
    Family(
        "isocenter_dicomweb_store_instances_total",
        "Instances of store requests by result: stored, identical, replaced, or the failure reason in hexadecimal.",
        ("result",),
        lambda observed: {(result,): count for result, count in sorted(observed.transactions.stored.copy().items())},
    ),
    Family(
        "isocenter_dicomweb_store_length_bytes",
        "Lengths of the instances that were stored, as a histogram.",
        ("le",),
        _lengths,
        kind=Kind.HISTOGRAM,
        total=lambda observed: observed.transactions.stored_bytes,
    ),
    Family(
        "isocenter_dicomweb_store_objections_total",
        "Attributes of store requests that were objected to, by tag and result: the instance was kept or refused. "
        "After 500 tags the rest is `other`.",
        ("tag", "result"),
        lambda observed: dict(sorted(observed.transactions.objections.copy().items())),
    ),
    Family(
        "isocenter_dicomweb_retrieved_instances_total",
        "Instances that were asked for whole, by form: stored or transcoded.",
        ("form",),
        lambda observed: {(form,): count for form, count in sorted(observed.transactions.retrieved.copy().items())},
    ),
    Family(
        "isocenter_updated_instances_total",
        "Instances of which bulk updates made a new version.",
        (),
        lambda observed: {(): observed.updates.updated},
    ),
    Family(
        "isocenter_exported_instances_total",
        "Instances that exports wrote.",
        (),
        lambda observed: {(): observed.exports.exported},
    ),
    Family(
        "isocenter_erasure_oldest_age_seconds",
        "How long ago that was deleted or replaced whose bytes wait longest to be erased; 0 where none wait.",
        (),
        lambda observed: {(): observed.erasure_age_s()},
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_associations_live",
        "Associations that are open, by the side of this node: acceptor or requestor.",
        ("side",),
        _live,
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_associations_ended_total",
        "Associations that ended, by how: released, rejected, aborted by peer, aborted by us, connection lost.",
        ("end",),
        lambda observed: {(end,): count for end, count in sorted(observed.register.totals.associations.items())},
    ),
    Family(
        "isocenter_association_contexts_total",
        "Presentation contexts that were proposed, by what became of them: accepted, or why they were refused.",
        ("result",),
        lambda observed: {(result,): count for result, count in sorted(observed.register.totals.contexts.items())},
    ),
    Family(
        "isocenter_association_bytes_total",
        "Bytes on the connections of associations, by direction: received or sent.",
        ("direction",),
        _bytes,
    ),
    Family(
        "isocenter_dimse_responses_total",
        "Responses by direction (received or sent), message and status; pending ones are counted like the others.",
        ("direction", "message", "status"),
        _statuses,
    ),
    Family(
        "isocenter_import_files_total",
        "Files of bulk import by source (folder or container) and result: stored, identical, refused, put off.",
        ("source", "result"),
        lambda observed: dict(sorted(observed.imports.files.items())),
    ),
    Family(
        "isocenter_import_files_waiting",
        "Files of bulk import that the last look found ready and left, by source.",
        ("source",),
        lambda observed: {(source,): count for source, count in sorted(observed.imports.waiting.items())},
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_events_total",
        "Events by subscriber and result: delivered, or expired because the receiver did not answer for too long.",
        ("subscriber", "result"),
        _events,
    ),
    Family(
        "isocenter_event_failures_total",
        "Requests to subscribers that were not answered, or not by success.",
        ("subscriber",),
        lambda observed: {(name,): one.failed_attempts for name, one in sorted(observed.events.by_name.items())},
    ),
    Family(
        "isocenter_events_behind",
        "Rows of the change feed that a subscriber was not told of yet.",
        ("subscriber",),
        lambda observed: {(name,): one.behind for name, one in sorted(observed.events.by_name.items())},
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_fhir_rows_total",
        "Rows of the change feed that were cast to the FHIR server.",
        (),
        lambda observed: _while_cast(observed, observed.fhir.rows),
    ),
    Family(
        "isocenter_fhir_studies_total",
        "Studies that were cast by result: written, unchanged (the server had them as they are), shelved for a person.",
        ("result",),
        lambda observed: {(result,): count for result, count in observed.fhir.studies.items() if observed.fhir.is_on},
    ),
    Family(
        "isocenter_fhir_failures_total",
        "Attempts that failed and were repeated: the FHIR server did not answer, or somebody else was faster.",
        (),
        lambda observed: _while_cast(observed, observed.fhir.failed_attempts),
    ),
    Family(
        "isocenter_fhir_behind",
        "Rows of the change feed that were not cast yet.",
        (),
        lambda observed: _while_cast(observed, observed.fhir.behind),
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_fhir_behind_seconds",
        "How old the first row is that was not cast yet, at the last look.",
        (),
        lambda observed: _while_cast(observed, observed.fhir.behind_s),
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_fhir_errors",
        "Errors that are kept by kind: tag (an attribute was left out), dicom (an instance was left out), fhir (a "
        "study waits for a person), transient (a study is tried again by itself).",
        ("kind",),
        lambda observed: {(kind,): count for kind, count in observed.fhir.errors.items()},
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_router_deliveries",
        "Deliveries by channel, destination and counter: received = delivered + waiting + needs_human + cancelled. "
        "What no rule sends anywhere has an empty destination.",
        ("channel", "destination", "counter"),
        lambda observed: observed.router.deliveries(),
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_router_waiting_bytes",
        "Bytes of deliveries that wait, safe on disk, by channel and destination.",
        ("channel", "destination"),
        lambda observed: observed.router.waiting_bytes(),
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_router_oldest_age_seconds",
        "How long the oldest delivery to a destination has been waiting; 0 where none waits.",
        ("destination",),
        lambda observed: observed.router.oldest_age_s(),
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_router_destination_state",
        "1 for the state that a destination is in (running, waiting where its breaker is open, held and so on), 0 for "
        "the others.",
        ("destination", "state"),
        lambda observed: observed.router.destination_states(),
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_router_channel_state",
        "1 for the state that a channel is in (started, paused, stopped, failed), 0 for the others.",
        ("channel", "state"),
        lambda observed: observed.router.channel_states(),
        kind=Kind.GAUGE,
    ),
    Family(
        "isocenter_router_refused_total",
        "Instances that a channel refused.",
        ("channel",),
        lambda observed: observed.router.refused(),
    ),
)
"""Every metric of the node; the reference is written from here."""


class _FamilyCollector(Collector):
    def __init__(self, observed: Observed) -> None:
        self._observed = observed

    def collect(self) -> Iterator[Metric]:
        for family in FAMILIES:
            samples = family.samples(self._observed)
            if family.total is not None:
                buckets = [(end, count) for (end,), count in samples.items()]
                total = family.total(self._observed)
                yield HistogramMetricFamily(family.name, family.help, buckets=buckets, sum_value=total)
                continue
            kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
            metric = kind(family.name, family.help, labels=family.labels)
            for values, count in samples.items():
                metric.add_metric(values, count)
            yield metric


def metrics_routes(observed: Observed, *, authenticate: Authenticate) -> list[BaseRoute]:
    """Return the route of the metrics; who may see the console may see them."""
    collected = CollectorRegistry()
    collected.register(_FamilyCollector(observed))
    ProcessCollector(registry=collected)

    async def metrics(request: Request) -> Response:
        try:
            authenticate(request.headers)
        except IsocenterError as error:
            return error_response(error)
        return Response(generate_latest(collected), headers=HEADERS | {"Content-Type": CONTENT_TYPE_LATEST})

    return [Route(METRICS_PATH, metrics, name="metrics")]
