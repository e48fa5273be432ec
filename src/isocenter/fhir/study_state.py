"""What the archive has of a study now; what was looked at is kept, so that a study that grows is not read anew."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import orjson

from isocenter.archive.archive import Archive
from isocenter.archive.metadata import readable_metadata
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import DataAction, Principal
from isocenter.fhir.mapping.facts import InstanceFacts, Looked, Reading, look_at
from isocenter.fhir.mapping.problem import Problem
from isocenter.ports.fhir_ledger import StudyName
from isocenter.ports.index import InstanceRow

CASTER = Principal("fhir", frozenset({DataAction.READ}))
ROWS_AT_ONCE = 200
"""Whose metadata is in memory together: some megabytes."""
LOOKED_MAX = 50_000
"""Instances that are remembered, with about a kilobyte each."""
UNREADABLE = Problem("SOPInstanceUID", "the stored bytes cannot be read; `isocenter scrub` tells more", True)


@dataclass(frozen=True, slots=True)
class StudyState:
    """The instances of a study, as far as they can be cast, and what is wrong with the others."""

    instances: tuple[InstanceFacts, ...]
    with_problems: tuple[Looked, ...]


class StudyReader:
    """Look at studies."""

    def __init__(self, archive: Archive, reading: Reading) -> None:
        self._archive = archive
        self._reading = reading
        self._looked: OrderedDict[int, Looked] = OrderedDict()

    def read(self, study: StudyName) -> StudyState:
        """Return a study as it is now; without instances where it is not there."""
        scope = Scope(study.study_instance_uid, partition_name=study.partition_name)
        looked = list(self._look(self._archive.index.instances(scope)))
        return StudyState(
            tuple(one.facts for one in looked if one.facts is not None),
            tuple(one for one in looked if one.problems),
        )

    def _look(self, rows: Sequence[InstanceRow]) -> Iterator[Looked]:
        waiting = iter(rows)
        while some := list(islice(waiting, ROWS_AT_ONCE)):
            new = [row for row in some if row.instance_key not in self._looked]
            found = dict(self._look_at(new)) if new else {}
            for row in some:
                looked = found.get(row.instance_key) or self._looked.get(row.instance_key)
                if looked is not None:
                    self._remember(row.instance_key, looked)
                    yield looked
                elif self._archive.index.instance(row.instance_key) is not None:
                    yield Looked(row.identifier, None, (UNREADABLE,))

    def _look_at(self, rows: Sequence[InstanceRow]) -> Iterator[tuple[int, Looked]]:
        texts = readable_metadata(self._archive, CASTER, rows)
        invalid = self._archive.index.invalid_paths([row.instance_key for row in rows])
        for row in rows:
            text = texts.get(row.instance_key)
            if text is not None:
                yield (
                    row.instance_key,
                    look_at(
                        row.identifier,
                        orjson.loads(text),
                        sop_class_uid=row.sop_class_uid,
                        order=row.instance_key,
                        invalid=invalid.get(row.instance_key, ()),
                        reading=self._reading,
                    ),
                )

    def _remember(self, instance_key: int, looked: Looked) -> None:
        self._looked[instance_key] = looked
        self._looked.move_to_end(instance_key)
        while len(self._looked) > LOOKED_MAX:
            self._looked.popitem(last=False)
