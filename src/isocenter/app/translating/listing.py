"""Which instances of a service a retrieval names, with class and transfer syntax where it tells (6.2).

Each study or series is asked for page by page; a service that does not tell the class of an instance is asked for
metadata, which says it always.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from isocenter.app.translating.upstream import Row, Upstream, unique_key
from isocenter.app.web_report import report_of
from isocenter.archive.select import searches_for
from isocenter.dimse.message.statuses import NOT_AUTHORIZED
from isocenter.dimse.scp.final_status import FinalStatus
from isocenter.dimse.scp.suboperations import CANNOT_COUNT
from isocenter.dimse.scp.supply import ContextKey
from isocenter.dimse.scu.storage_plan import LIKELY_SYNTAXES
from isocenter.domain.errors import IsocenterError, TooLarge
from isocenter.domain.fitting import fits
from isocenter.domain.identifiers import InstanceIdentifier, Level, Scope, is_uid
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query import Match, OneOf, Query
from isocenter.domain.selection import Selection
from isocenter.routing.catalogue.lookup import explain_report
from isocenter.routing.translation.json_row import JsonRow
from isocenter.routing.translation.search import translate_search

SOP_CLASS_UID, AVAILABLE_TRANSFER_SYNTAX_UID = 0x00080016, 0x00083002
SERIES_NUMBER, INSTANCE_NUMBER = 0x00200011, 0x00200013
_RETURNED = (SOP_CLASS_UID, AVAILABLE_TRANSFER_SYNTAX_UID)
"""Numbers order what is sent where a service tells them by itself; some read a header of each instance for them."""
EACH_ASKED_MAX = 8
"""So many instances of a series are asked for by their UIDs; of more, the series is listed and they are picked."""


@dataclass(frozen=True, slots=True)
class ListedInstance:
    """An instance of a service (`Sendable`)."""

    identifier: InstanceIdentifier
    sop_class_uid: str
    transfer_syntax_uids: Sequence[str]
    """That it is stored in; where the service does not tell, those that it is likely to be."""
    is_whole_series: bool = False
    """Its whole series is retrieved, so that it may come with that."""

    def syntax_for(self, accepted: Collection[ContextKey]) -> str | None:
        """Return the transfer syntax to send it in, empty where it must come first to tell."""
        taken = [syntax_uid for sop_class_uid, syntax_uid in accepted if sop_class_uid == self.sop_class_uid]
        if len(self.transfer_syntax_uids) == 1 and self.transfer_syntax_uids[0] in taken:
            return self.transfer_syntax_uids[0]
        return "" if taken else None


def list_instances(
    upstream: Upstream, principal: Principal, selection: Selection, *, count_max: int
) -> list[ListedInstance]:
    """Return the instances that are named, each once, by series and number; none where the service has none of them.

    Raises TooLarge, Forbidden, and FinalStatus where the service fails.
    """
    principal.require(DataAction.READ)
    found: dict[str, tuple[_Place, ListedInstance]] = {}
    wanted = frozenset(selection.sop_instance_uids)
    for row, is_whole_series in _iter_named(upstream, selection):
        listed = _listed(row, is_whole_series=is_whole_series)
        if listed is None or (wanted and listed.identifier.sop_instance_uid not in wanted):
            continue
        found[listed.identifier.sop_instance_uid] = (_place(row, listed), listed)
        if len(found) > count_max:
            raise TooLarge(f"More than {count_max} instances; ask by study or series.")
    return _with_classes(upstream, [listed for _, listed in sorted(found.values(), key=lambda each: each[0])])


_Place = tuple[int, str, int]
"""Series number, series, instance number."""


def _place(row: Row, listed: ListedInstance) -> _Place:
    view = JsonRow(row)
    return (
        _number(view.text_of(SERIES_NUMBER)),
        listed.identifier.series_instance_uid,
        _number(view.text_of(INSTANCE_NUMBER)),
    )


def _number(text: str) -> int:
    return int(text) if text.lstrip("-").isdecimal() and len(text) < 16 else 0


def _iter_named(upstream: Upstream, selection: Selection) -> Iterator[tuple[Row, bool]]:
    """Yield rows of instances, and whether all of their series are among them."""
    if selection.level is Level.PATIENT:
        for matches in searches_for(selection):
            for study in _rows(upstream, Query(Level.STUDY, matches)):
                below = Query(Level.INSTANCE, study_instance_uid=unique_key(study, Level.STUDY))
                yield from ((row, True) for row in _rows(upstream, below))
        return
    for query in _queries(selection):
        yield from ((row, selection.level < Level.INSTANCE) for row in _rows(upstream, query))


def _queries(selection: Selection) -> Iterator[Query]:
    patient: tuple[Match, ...] = () if selection.patient_id is None else (OneOf(0x00100020, (selection.patient_id,)),)
    studies: Sequence[str | None] = selection.study_instance_uids or (None,)
    series: Sequence[str | None] = selection.series_instance_uids or (None,)
    instances = selection.sop_instance_uids
    is_picked = len(instances) > EACH_ASKED_MAX and series[0] is not None
    named = (OneOf(0x00080018, instances),) if instances and not is_picked else ()
    for study in studies:
        for one in series:
            yield Query(Level.INSTANCE, (*patient, *named), study_instance_uid=study, series_instance_uid=one)


def _rows(upstream: Upstream, query: Query) -> Iterator[Row]:
    search = translate_search(query, upstream.profile, return_tags=_RETURNED if query.level is Level.INSTANCE else ())
    try:
        for row in upstream.iter_rows(search.requests, query.level):
            if all(fits(match, JsonRow(row)) for match in search.residual):
                yield row
    except FinalStatus as failure:
        status = NOT_AUTHORIZED if failure.status == NOT_AUTHORIZED else CANNOT_COUNT
        raise FinalStatus(status, failure.comment) from failure


def _listed(row: Row, *, is_whole_series: bool) -> ListedInstance | None:
    """Return an instance as it is listed, None for a row that names none: its UIDs become paths of requests."""
    uids = [unique_key(row, level) for level in (Level.STUDY, Level.SERIES, Level.INSTANCE)]
    if not all(map(is_uid, uids)):
        return None
    view = JsonRow(row)
    syntaxes = tuple(uid for uid in view.values_of(AVAILABLE_TRANSFER_SYNTAX_UID) if is_uid(uid))
    class_uid = view.text_of(SOP_CLASS_UID)
    return ListedInstance(
        InstanceIdentifier(*uids), class_uid if is_uid(class_uid) else "", syntaxes or LIKELY_SYNTAXES, is_whole_series
    )


def _with_classes(upstream: Upstream, listed: list[ListedInstance]) -> list[ListedInstance]:
    """Return instances with the classes that the metadata of their series tell, where the listing did not.

    One of which nobody tells it cannot be sent, and counts as failed.
    """
    series = dict.fromkeys(
        (one.identifier.study_instance_uid, one.identifier.series_instance_uid)
        for one in listed
        if not one.sop_class_uid
    )
    classes: dict[str, str] = {}
    for uids in series:
        classes.update(_classes_by_metadata(upstream, Scope(*uids)))
    return [
        one if one.sop_class_uid else replace(one, sop_class_uid=classes.get(one.identifier.sop_instance_uid, ""))
        for one in listed
    ]


def _classes_by_metadata(upstream: Upstream, scope: Scope) -> Iterator[tuple[str, str]]:
    try:
        documents = upstream.patiently(lambda: upstream.client.metadata(scope))
    except IsocenterError as error:
        raise FinalStatus(CANNOT_COUNT, explain_report(report_of(error)).name) from error
    for document in documents:
        class_uid = JsonRow(document).text_of(SOP_CLASS_UID)
        if is_uid(class_uid):
            yield unique_key(document, Level.INSTANCE), class_uid
