"""Hand instances to a node over DICOMweb."""

from __future__ import annotations

from collections.abc import Iterable

import httpx

BOUNDARY = "isocenter-test-boundary"
BATCH = 50


def store(dicomweb_url: str, instances: Iterable[bytes]) -> None:
    """Store Part 10 files by STOW-RS; fail with the answer if one is refused."""
    waiting = list(instances)
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}',
        "Accept": "application/dicom+json",
    }
    for start in range(0, len(waiting), BATCH):
        parts = (
            b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % (BOUNDARY.encode(), instance)
            for instance in waiting[start : start + BATCH]
        )
        body = b"".join([*parts, b"--%b--\r\n" % BOUNDARY.encode()])
        answer = httpx.post(f"{dicomweb_url}/studies", content=body, headers=headers, timeout=120)
        assert answer.status_code == httpx.codes.OK, f"{answer.status_code}: {answer.text[:2000]}"
