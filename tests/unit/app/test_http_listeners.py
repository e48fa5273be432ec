from __future__ import annotations

import pytest

from isocenter.app.http_listeners import bound_listeners, require_safe
from isocenter.app.settings import load_settings
from isocenter.domain.errors import InvalidRequest, InvalidSetting


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"http.tls_listen": "0.0.0.0:8443"},
        {"http.listen": "127.0.0.1:80", "http.tls_listen": "[::]:8443"},
        {"http.listen": "0.0.0.0:80", "http.trusted_proxies": "10.0.0.1"},
        {"http.listen": "127.0.0.1:80", "auth": "off"},
        {"http.listen": "127.0.0.1:80", "auth": "required"},
        {"http.cors_origins": "https://a.example", "http.cors_credentials": "on"},
    ],
    ids=str,
)
def test_what_is_safe_is_listened_on(flags: dict[str, str]) -> None:
    require_safe(load_settings(flags, {}, None))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"http.listen": "0.0.0.0:80", "auth": "off"}, "without authentication"),
        ({"http.tls_listen": "0.0.0.0:443", "auth": "off"}, "without authentication"),
        ({"http.listen": "0.0.0.0:80"}, "without TLS"),
        ({"http.listen": "192.0.2.1:80", "auth": "required"}, "--https"),
        ({"http.listen": ""}, "must listen somewhere"),
        ({"http.cors_origins": "*", "http.cors_credentials": "on"}, "name the origins"),
    ],
    ids=str,
)
def test_what_is_not_safe_is_refused_with_what_to_do(flags: dict[str, str], said: str) -> None:
    with pytest.raises((InvalidRequest, InvalidSetting), match=said):
        require_safe(load_settings(flags, {}, None))


def test_a_plain_and_a_secure_socket_are_bound_and_closed_together() -> None:
    settings = load_settings({"http.listen": "127.0.0.1:0", "http.tls_listen": "127.0.0.1:0"}, {}, None)
    with bound_listeners(settings) as listeners:
        assert [listener.url.split(":")[0] for listener in listeners] == ["http", "https"]
        assert not any(listener.url.endswith(":0") for listener in listeners)
    assert all(listener.socket.fileno() == -1 for listener in listeners)
