"""Where the web server listens, bound before anything else is opened, and what it refuses to listen on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from isocenter.app.http_protocol import bound_sending
from isocenter.app.setting_kinds import Address
from isocenter.app.settings import Settings
from isocenter.domain.errors import InvalidRequest, InvalidSetting, Unavailable


@dataclass(frozen=True, slots=True)
class HttpListener:
    """A bound socket of the web server."""

    address: Address
    socket: socket.socket
    uses_tls: bool

    @property
    def url(self) -> str:
        """Return where it listens, with the port that it got."""
        host, port = self.socket.getsockname()[:2]
        return f"{'https' if self.uses_tls else 'http'}://{Address(host, port)}"

    def listen(self, backlog: int) -> None:
        """Let connections come in; raises Unavailable where another process was quicker."""
        try:
            self.socket.listen(backlog)
        except OSError as error:
            raise _cannot_listen(self.address, error, uses_tls=self.uses_tls) from error


@contextmanager
def bound_listeners(settings: Settings) -> Iterator[list[HttpListener]]:
    """Bind what the settings name and close it at the end.

    Raises InvalidRequest where that would be unsafe, Unavailable where a port is taken.
    """
    require_safe(settings)
    listeners: list[HttpListener] = []
    try:
        for address, uses_tls in ((settings.http.listen, False), (settings.http.tls_listen, True)):
            if address is not None:
                listeners.append(HttpListener(address, _bind(address, uses_tls=uses_tls), uses_tls))
        yield listeners
    finally:
        for listener in listeners:
            listener.socket.close()


def require_safe(settings: Settings) -> None:
    """Raise InvalidRequest or InvalidSetting where listening as the settings say would be unsafe."""
    http = settings.http
    if not http.addresses:
        raise InvalidSetting("The web server must listen somewhere: set http.listen, http.tls_listen, or both.")
    for address in http.addresses:
        if settings.auth == "off" and not address.is_loopback:
            raise InvalidRequest(
                f"Refusing to listen on {address.host} without authentication. Leave `auth` at auto, listen on "
                "127.0.0.1, or put an authenticating proxy in front."
            )
    if http.listen is not None and not http.listen.is_loopback and not http.trusted_proxies:
        raise InvalidRequest(
            f"Refusing to listen on {http.listen.host} without TLS: tokens and images could be read on the way. "
            f"Listen on 127.0.0.1, use --https {http.listen}, or name the proxy that ends TLS in http.trusted_proxies."
        )
    if http.cors_credentials == "on" and "*" in http.cors_origins:
        raise InvalidSetting(
            "http.cors_credentials cannot be on for any origin; name the origins in http.cors_origins."
        )


def _bind(address: Address, *, uses_tls: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound_sending(listener)
    try:
        listener.bind((address.host, address.port))
    except OSError as error:
        listener.close()
        raise _cannot_listen(address, error, uses_tls=uses_tls) from error
    return listener


def _cannot_listen(address: Address, error: OSError, *, uses_tls: bool) -> Unavailable:
    flag = "--https" if uses_tls else "--http"
    return Unavailable(f"Cannot listen on {address}: {error.strerror}. Choose another with {flag}.")
