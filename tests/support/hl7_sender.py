"""Send HL7 messages over MLLP as an interface engine does, and read the answers."""

from __future__ import annotations

import socket

TIMEOUT_S = 30.0


def send(port: int, *messages: str | bytes, host: str = "127.0.0.1") -> list[str]:
    """Send messages over one connection, one after the other, and return the answers."""
    answers = []
    with socket.create_connection((host, port), TIMEOUT_S) as connection:
        connection.settimeout(TIMEOUT_S)
        for message in messages:
            content = message if isinstance(message, bytes) else message.encode()
            connection.sendall(b"\x0b" + content + b"\x1c\r")
            answers.append(_read(connection))
    return answers


def _read(connection: socket.socket) -> str:
    received = b""
    while not received.endswith(b"\x1c\r"):
        data = connection.recv(65536)
        if not data:
            raise AssertionError(f"the connection ended within an answer: {received!r}")
        received += data
    return received[1:-2].decode()


def order(patient_id: str, *, modality: str = "CT", procedure: str = "CTTHX^CT chest", control: str = "NW") -> str:
    """Return an ORM^O01."""
    obr = [""] * 37
    obr[4], obr[18], obr[24] = procedure, f"A{patient_id}", modality
    return "\r".join(
        (
            "MSH|^~\\&|RIS|HOSP|ROUTER|HOSP|20261121120000||ORM^O01|42|P|2.3.1||||||UNICODE UTF-8",
            f"PID|1||{patient_id}^^^HOSP^MR||Prüfung^Eva||19600101|F",
            f"ORC|{control}|P1",
            "OBR" + "|".join(["", *obr[1:]]),
        )
    )
