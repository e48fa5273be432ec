"""What C-FIND asks of the archive: the search that QIDO-RS asks too, its rows as identifiers of responses."""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.archive.archive import Archive
from isocenter.archive.search import iter_search
from isocenter.dimse.codec.find import FindOptions, FindRequest, decode_find_identifier, encode_find_answer
from isocenter.dimse.scp.find import Asked, Finding, Prepare
from isocenter.dimse.ul.query_extensions import FindExtensions
from isocenter.domain.errors import InvalidAttributes, InvalidKey

SUPPORTED = FindExtensions(
    relational_queries=True,
    combined_date_time_matching=True,
    fuzzy_person_name_matching=True,
    timezone_query_adjustment=True,
)


def query_of(archive: Archive) -> Prepare:
    """Return what answers requests from an archive."""

    def prepare(asked: Asked) -> Finding:
        agreed = asked.extensions
        options = FindOptions(
            is_relational=agreed.relational_queries,
            combines_dates_and_times=agreed.combined_date_time_matching,
            is_fuzzy=agreed.fuzzy_person_name_matching,
            adjusts_timezone=agreed.timezone_query_adjustment,
        )
        try:
            request = decode_find_identifier(asked.identifier, asked.encoding, asked.model, options)
        except InvalidKey as error:
            raise InvalidAttributes(error.message, tags=error.tags) from error
        return Finding(_answers(archive, asked, request), request.has_unmatched_keys)

    return prepare


def _answers(archive: Archive, asked: Asked, request: FindRequest) -> Iterator[bytes]:
    for found in iter_search(archive, asked.principal, request.query, header_tags=request.header_tags):
        yield encode_find_answer(
            request, found.row, found.header, retrieve_ae_title=asked.ae_title, encoding=asked.encoding
        )
