"""The table of translators."""

from __future__ import annotations

from isocenter.routing.configuration import kinds
from isocenter.routing.configuration.section import Key, Section
from isocenter.routing.configuration.translator import FETCHES_MAX, MATCHES_HIGHEST, Translator

TRANSLATOR = Section(
    Translator,
    (
        Key("description", kinds.TEXT, "For people."),
        Key("started", kinds.BOOLEAN, "Whether it runs from the start of the node on.", field="is_started"),
        Key("listen", kinds.AE_ENDPOINT, "Title, address and port of the listener."),
        Key("tls", kinds.BOOLEAN, "Whether TLS is spoken there, as `dicom.tls_…` say.", field="uses_tls"),
        Key("upstream", kinds.NAME, "The destination, of kind dicomweb, that is asked and that takes what is sent."),
        Key("callers", kinds.AE_TITLES, "Who may use it; without it, everybody whom the node lets in."),
        Key("move_to", kinds.AE_TITLES, "Whom instances may be moved to; without it, everybody in `dicom.remotes`."),
        Key(
            "matches_max",
            kinds.integer(1, MATCHES_HIGHEST),
            "A search that finds more ends with status A700, behind as many answers.",
        ),
        Key("fetches", kinds.integer(1, FETCHES_MAX), "Instances that are fetched ahead of those that are being sent."),
        Key(
            "answers_duplicates",
            kinds.BOOLEAN,
            "Whether an instance that the service holds already is answered with 0111, and not as stored.",
        ),
    ),
    help="An application entity that answers queries and retrievals from a DICOMweb service, and stores to it.",
)
