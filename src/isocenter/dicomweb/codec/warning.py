"""The Warning header (RFC 7234 5.5, dicom-service 1.4)."""

from __future__ import annotations

from urllib.parse import urlsplit

PERSISTENT = 299


def format_warning(service_url: str, message: str) -> str:
    """Return a warning in the form of Azure's service: the host of the service, a colon, the message in quotes."""
    host = urlsplit(service_url).hostname
    text = message.replace("\\", "\\\\").replace('"', '\\"')
    return f'{PERSISTENT} {f"{host}:" if host else "-"} "{text}"'
