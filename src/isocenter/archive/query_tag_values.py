"""What instances that come in, or are stored, have of extended query tags, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from isocenter.archive.identify import comment_on
from isocenter.archive.validate import Findings, Validation
from isocenter.dicom.dictionary import keyword_of
from isocenter.dicom.minimum_rules import element_message
from isocenter.dicom.query_tag_values import Finding, find_in_elements, find_in_header
from isocenter.dicom.scan import ScannedHeader
from isocenter.dicom.walk import Buffer
from isocenter.domain.errors import InvalidDataset
from isocenter.domain.query_tag import QueryTag


@dataclass(frozen=True, slots=True)
class QueryTagValues:
    """What an instance is to be found by."""

    keys: tuple[int, ...] = ()
    """The tags that were looked for."""
    values: Mapping[int, str] = field(default_factory=dict)
    """What was found of them, by their keys."""


NO_QUERY_TAGS = QueryTagValues()


def keys_of(query_tags: Sequence[QueryTag]) -> tuple[int, ...]:
    """Return the keys of tags."""
    return tuple([one.query_tag_key for one in query_tags])


def look_for(
    header: ScannedHeader, query_tags: Sequence[QueryTag], validation: Validation | None, findings: Findings | None
) -> tuple[QueryTagValues, Findings | None]:
    """Return what an instance that comes in has of tags, and its findings with what is invalid of it.

    Version 1 of Azure's service takes only what it can index: raises InvalidDataset with a comment for each tag.
    """
    encoding = header.scanned.encoding
    found = find_in_elements(header.buffer, header.elements, query_tags, is_little_endian=encoding.is_little_endian)
    by_key = {one.query_tag_key: one for one in query_tags}
    if validation is not None and not validation.is_tolerant:
        _refuse({by_key[key]: finding for key, finding in found.items()})
    if findings is not None:
        found, findings = _warned(found, by_key, findings)
    values = {key: finding.value for key, finding in found.items() if finding.value}
    return QueryTagValues(keys_of(query_tags), values), findings


def _refuse(found: Mapping[QueryTag, Finding]) -> None:
    comments = [
        _comment(tag, finding.tag, objection.reason)
        for tag, finding in found.items()
        if (objection := finding.strict_objection) is not None
    ]
    if comments:
        raise InvalidDataset("; ".join(comments), comments=tuple(comments))


def _warned(
    found: Mapping[int, Finding], by_key: Mapping[int, QueryTag], findings: Findings
) -> tuple[dict[int, Finding], Findings]:
    """Leave out what is invalid, as version 2 does, and say so, unless that was said already."""
    known = set(findings.invalid_paths)
    valid: dict[int, Finding] = {}
    comments: list[str] = []
    paths: list[str] = []
    for key, finding in found.items():
        path = f"{finding.tag:08X}"
        if path in known:
            continue
        if finding.objection is None:
            valid[key] = finding
        else:
            comments.append(_comment(by_key[key], finding.tag, finding.objection.reason))
            paths.append(path)
    several = any(finding.has_several_values for finding in valid.values())
    if not paths and not several:
        return valid, findings
    return valid, replace(
        findings,
        comments=(*findings.comments, *comments),
        invalid_paths=(*findings.invalid_paths, *paths),
        has_several_values=findings.has_several_values or several,
    )


def _comment(query_tag: QueryTag, tag: int, reason: str) -> str:
    entry = query_tag.entry
    return comment_on(tag, element_message(keyword_of(tag) or entry.path, entry.vr, reason))


def look_again(header: Buffer, query_tags: tuple[QueryTag, ...], invalid_paths: Sequence[str]) -> QueryTagValues:
    """Return what a stored instance has of tags, by its header; what metadata leaves out is not there.

    Raises InvalidDataset.
    """
    found = find_in_header(header, query_tags) if query_tags else {}
    values = {
        key: finding.value
        for key, finding in found.items()
        if finding.value and f"{finding.tag:08X}" not in invalid_paths
    }
    return QueryTagValues(keys_of(query_tags), values)
