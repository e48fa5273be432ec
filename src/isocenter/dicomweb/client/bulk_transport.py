"""GET requests whose answers have hundreds of megabytes: read from the socket by the megabyte.

httpx reads 64 KB at a time and looks at each as an event, which takes more of the processor than everything else that
is done with an image on its way through. This is a transport of httpx over `http.client`, for these requests alone.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from urllib.request import getproxies, proxy_bypass

import httpx

from isocenter.dicomweb.client.open_sockets import OpenSockets

PIECE_BYTES = 1024 * 1024
IDLE_MAX = 8
"""Connections that are kept for the next request; nobody asks for so much side by side."""

_Key = tuple[str, str, int | None]


def has_proxy(url: httpx.URL) -> bool:
    """Tell whether the environment wants a proxy for an address, which this transport does not know."""
    proxies = getproxies()
    return bool(proxies.get(url.scheme) or proxies.get("all")) and not proxy_bypass(url.host)


class BulkTransport(httpx.BaseTransport):
    """Send GET requests over connections that stay open."""

    def __init__(self, tls: ssl.SSLContext | None, open_sockets: OpenSockets | None = None) -> None:
        self._tls = tls
        self._open_sockets = open_sockets or OpenSockets()
        self._idle: deque[tuple[_Key, http.client.HTTPConnection]] = deque()
        self._lock = threading.Lock()
        self._is_closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer, unread (httpx)."""
        key = (request.url.scheme, request.url.host, request.url.port)
        kept = self._take(key)
        if kept is not None:
            try:
                return self._asked(kept, key, request)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                pass  # the service has closed what was idle; a GET is asked again
        return self._asked(self._opened(request), key, request)

    def close(self) -> None:
        """Close what is idle; what is in use ends with its answer."""
        with self._lock:
            self._is_closed = True
            while self._idle:
                self._idle.popleft()[1].close()

    def _take(self, key: _Key) -> http.client.HTTPConnection | None:
        with self._lock:
            for each in self._idle:
                if each[0] == key:
                    self._idle.remove(each)
                    return each[1]
        return None

    def keep(self, key: _Key, connection: http.client.HTTPConnection) -> None:
        """Keep a connection for the next request."""
        with self._lock:
            if self._is_closed or len(self._idle) == IDLE_MAX:
                connection.close()
            else:
                self._idle.append((key, connection))

    def _opened(self, request: httpx.Request) -> http.client.HTTPConnection:
        url, timeouts = request.url, request.extensions.get("timeout", {})
        connection: http.client.HTTPConnection
        if url.scheme == "https":
            self._tls = tls = self._tls or httpx.create_ssl_context()
            port = url.port or http.client.HTTPS_PORT
            connection = http.client.HTTPSConnection(url.host, port, context=tls, timeout=timeouts.get("connect"))
        else:
            port = url.port or http.client.HTTP_PORT
            connection = http.client.HTTPConnection(url.host, port, timeout=timeouts.get("connect"))
        try:
            connection.connect()
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error), request=request) from error
        except OSError as error:
            connection.close()
            raise httpx.ConnectError(str(error), request=request) from error
        assert isinstance(connection.sock, socket.socket)
        connection.sock.settimeout(timeouts.get("read"))
        self._open_sockets.add(connection.sock)
        return connection

    def _asked(self, connection: http.client.HTTPConnection, key: _Key, request: httpx.Request) -> httpx.Response:
        try:
            connection.request(request.method, request.url.raw_path.decode("ascii"), headers=dict(request.headers))
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _failure(error, request) from error
        stream = _Body(self, connection, key, answer, request)
        return httpx.Response(answer.status, headers=answer.getheaders(), stream=stream, request=request)


class _Body(httpx.SyncByteStream):
    """The content of an answer."""

    def __init__(
        self,
        transport: BulkTransport,
        connection: http.client.HTTPConnection,
        key: _Key,
        answer: http.client.HTTPResponse,
        request: httpx.Request,
    ) -> None:
        self._transport = transport
        self._connection = connection
        self._key = key
        self._answer = answer
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        """Yield the content by the megabyte."""
        answer = self._answer
        try:
            while piece := answer.read(PIECE_BYTES):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise _failure(error, self._request) from error
        if answer.length:
            raise httpx.RemoteProtocolError("The answer is shorter than it says.", request=self._request)

    def close(self) -> None:
        """Keep the connection where the whole answer was read, else close it."""
        is_reusable = self._answer.isclosed() and not self._answer.will_close
        self._answer.close()
        if is_reusable:
            self._transport.keep(self._key, self._connection)
        else:
            self._connection.close()


def _failure(error: OSError | http.client.HTTPException, request: httpx.Request) -> httpx.TransportError:
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout(str(error), request=request)
    if isinstance(error, OSError):
        return httpx.ReadError(str(error), request=request)
    return httpx.RemoteProtocolError(type(error).__name__, request=request)
