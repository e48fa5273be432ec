"""What C-FIND asks of the archive: the search that QIDO-RS asks too, its rows as identifiers of responses."""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.archive.archive import Archive
from isocenter.archive.search import iter_search
from isocenter.dimse.codec.find import FindOptions, FindRequest, decode_find_identifier
from isocenter.dimse.codec.find_answer import AnswerEncoder
from isocenter.dimse.scp.find import Asked, Finding, Prepare
from isocenter.dimse.ul.query_extensions import FindExtensions
from isocenter.domain.errors import InvalidAttributes, InvalidKey

SUPPORTED = FindExtensions(
    relational_queries=True,
    combined_date_time_matching=True,
    fuzzy_person_name_matching=True,
    timezone_query_adjustment=True,
    empty_value_matching=True,
    multiple_value_matching=True,
)


def query_of(archive: Archive) -> Prepare:
    """Return what answers requests from an archive."""

    def prepare(asked: Asked) -> Finding:
        request = read_request(asked)
        return Finding(_answers(archive, asked, request), request.has_unmatched_keys)

    return prepare


def read_request(asked: Asked) -> FindRequest:
    """Return what an identifier asks for, by what was agreed on; raises InvalidAttributes or InvalidDataset."""
    agreed = asked.extensions
    options = FindOptions(
        is_relational=agreed.relational_queries,
        combines_dates_and_times=agreed.combined_date_time_matching,
        is_fuzzy=agreed.fuzzy_person_name_matching,
        adjusts_timezone=agreed.timezone_query_adjustment,
        has_empty_values=agreed.empty_value_matching,
        has_multiple_values=agreed.multiple_value_matching,
    )
    try:
        return decode_find_identifier(asked.identifier, asked.encoding, asked.model, options)
    except InvalidKey as error:
        raise InvalidAttributes(error.message, tags=error.tags) from error


def _answers(archive: Archive, asked: Asked, request: FindRequest) -> Iterator[bytes]:
    encoder = AnswerEncoder(request, asked.encoding, retrieve_ae_title=asked.ae_title)
    found = iter_search(
        archive,
        asked.principal,
        request.query,
        header_tags=request.header_tags,
        needs_header=encoder.needs_header,
    )
    for one in found:
        yield encoder.encode(one.row, one.header)
