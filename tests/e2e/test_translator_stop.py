"""A node whose translator waits for a service that hangs stops all the same."""

from __future__ import annotations

import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.peers import require
from tests.support.translator import TITLE, translating


@pytest.mark.long
def test_a_node_stops_though_the_service_hangs(tmp_path: Path) -> None:
    asked = threading.Event()
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang() -> None:
            connections.append(listener.accept()[0])
            asked.set()

        threading.Thread(target=hang, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"]
        with translating(tmp_path, url) as translator:
            command = [require("findscu"), "-S", "-aec", TITLE, "127.0.0.1", str(translator.port), *keys]
            caller = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            assert asked.wait(20)
        # leaving the block has asked the node to end, and seen it end well and in time
        caller.wait(20)
    connections[0].close()
