from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fhir_peer import FhirPeer, fhir_peer


@pytest.fixture(scope="session")
def fhir_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirPeer]:
    peer = fhir_peer(tmp_path_factory.mktemp("fhir"))
    with peer.running():
        yield peer


@pytest.fixture
def peer(fhir_process: FhirPeer) -> FhirPeer:
    """Return a FHIR server that has nothing and does as it should."""
    fhir_process.empty()
    return fhir_process
