"""Where a hospital listens when others listen already."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from isocenter.app.hospital.options import DEFAULT_PORTS, PortName
from isocenter.app.hospital.ports import LinkName, choose_ports

ANYWHERE = dict.fromkeys(PortName, 0)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        yield stranger.getsockname()[1]


def test_every_listener_has_a_port_of_its_own() -> None:
    chosen = choose_ports(ANYWHERE, {})
    assert set(chosen.of) == {*PortName, *LinkName}
    assert len(set(chosen.of.values())) == len(chosen.of)
    assert chosen.moved == ()


def test_a_port_that_is_taken_gives_way_to_the_next_free_one_and_is_told(taken: int) -> None:
    chosen = choose_ports({**ANYWHERE, PortName.CLOUD: taken}, {})
    assert taken < chosen.of[PortName.CLOUD] <= taken + 50
    assert chosen.moved == (f"Port {taken} is taken; cloud listens on {chosen.of[PortName.CLOUD]} instead.",)


def test_what_moves_leaves_the_usual_ports_to_those_who_have_them() -> None:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            stranger.bind(("127.0.0.1", DEFAULT_PORTS[PortName.QIETOAZURE]))
            stranger.listen()
        except OSError:
            pass  # somebody has it already, which is the same to us
        chosen = choose_ports({**ANYWHERE, PortName.QIETOAZURE: DEFAULT_PORTS[PortName.QIETOAZURE]}, {})
    assert chosen.of[PortName.QIETOAZURE] not in DEFAULT_PORTS.values()


def test_lines_listen_where_they_did_the_last_time() -> None:
    before = dict(choose_ports(ANYWHERE, {}).of)
    after = choose_ports(ANYWHERE, before).of
    assert [after[link] for link in LinkName] == [before[link] for link in LinkName]


def test_a_line_whose_port_somebody_else_has_by_now_moves(taken: int) -> None:
    assert choose_ports(ANYWHERE, {LinkName.CLOUD.value: taken}).of[LinkName.CLOUD] != taken
