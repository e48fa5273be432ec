"""What a person chose on a page: some studies, a series, an instance, as the address of the next page names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import find_instances
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.domain.identifiers import Level, Scope, parse_uid
from isocenter.domain.principal import Principal
from isocenter.ports.index import InstanceRow
from isocenter.web.console.console import Form
from isocenter.web.console.size import format_bytes
from isocenter.web.form_body import read_pairs
from isocenter.web.pages.study import find_series, find_study
from isocenter.web.pages.study_row import StudyRow

STUDIES_MAX = 200
"""As many as a page of the list has rows."""
OTHER_FIELDS_MAX = 20
"""Of a form that acts on a choice, besides the studies."""
_NOTHING = "Choose a study first."
_WORDS = {Level.STUDY: "study", Level.SERIES: "series", Level.INSTANCE: "instance"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """One thing that was chosen, with what tells it from others."""

    scope: Scope
    study: StudyRow
    label: str
    instances: int
    size_bytes: int

    @property
    def size(self) -> str:
        """Return its size in words."""
        return format_bytes(self.size_bytes)

    @property
    def kind(self) -> str:
        """Return what it is."""
        return _WORDS[self.scope.level]

    @property
    def path(self) -> str:
        """Return the path of its page, or of the study that it belongs to."""
        return self.study.path


def parse_choice(studies: Sequence[str], series: str, instance: str) -> list[Scope]:
    """Return the scopes that parameters name, each once; raises InvalidRequest where that is nothing or too much."""
    uids = list(dict.fromkeys(parse_uid(study) for study in studies))
    if not uids:
        raise InvalidRequest(_NOTHING)
    if len(uids) > STUDIES_MAX:
        raise InvalidRequest(f"Choose at most {STUDIES_MAX} studies at once.")
    if not series and not instance:
        return [Scope(uid) for uid in uids]
    if len(uids) > 1 or (instance and not series):
        raise InvalidRequest("A series is chosen with the study that it is in, an instance with both.")
    return [Scope(uids[0], parse_uid(series), parse_uid(instance) if instance else None)]


async def read_choice(request: Request) -> Form:
    """Return the fields of a form that names as many studies as can be chosen."""
    return Form(tuple(await read_pairs(request, fields_max=STUDIES_MAX + OTHER_FIELDS_MAX)))


def choice_address(scopes: Sequence[Scope]) -> str:
    """Return the parameters that name scopes again."""
    pairs = [("study", scope.study_instance_uid) for scope in scopes]
    first = scopes[0]
    further = (("series", first.series_instance_uid), ("instance", first.sop_instance_uid))
    return urlencode([*pairs, *((name, uid) for name, uid in further if uid)])


def look_at(archive: Archive, principal: Principal, scopes: Sequence[Scope]) -> list[Chosen]:
    """Return what is there of a choice; raises NotFound where that is nothing."""
    found = []
    for scope in scopes:
        try:
            study = find_study(archive, principal, scope)
            rows = find_instances(archive, principal, scope)
        except NotFound:
            continue
        label = study.label
        if scope.series_instance_uid is not None:
            series = find_series(archive, principal, scope)
            label += f" · series {series.number} {series.description}"
        if scope.sop_instance_uid is not None:
            label += f" · instance {rows[0].instance_number or scope.sop_instance_uid}"
        found.append(Chosen(scope, study, label, len(rows), sum(row.address.length for row in rows)))
    if not found:
        raise NotFound("Nothing of what was chosen is here, or not any more.")
    return found


def instances_of(archive: Archive, principal: Principal, scopes: Sequence[Scope]) -> list[InstanceRow]:
    """Return the instances of a choice; what is gone meanwhile is left out."""
    rows: list[InstanceRow] = []
    for scope in scopes:
        try:
            rows += find_instances(archive, principal, scope)
        except NotFound:
            continue
    return rows
