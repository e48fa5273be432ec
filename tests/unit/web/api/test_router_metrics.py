"""Metrics of the router."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette

from isocenter.app.channels.offline_desk import OfflineDesk
from isocenter.app.settings import load_settings
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.web.api.metrics import Observed, metrics_routes
from isocenter.web.api.router_metrics import RouterObserved
from tests.support.asgi_client import AsgiClient
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import make_instance

CHANNELS = """
[channels.router]
source = { kind = "stow" }
[[channels.router.rules]]
name = "all"
to = ["pacs"]
[destinations.pacs]
kind = "folder"
path = "/nowhere"
"""


def _text(observed: Observed) -> str:
    return (
        AsgiClient(Starlette(routes=metrics_routes(observed, authenticate=lambda _: LOCAL_OWNER))).get("/metrics").text
    )


def test_a_node_that_routes_tells_of_channels_and_destinations(tmp_path: Path) -> None:
    file = tmp_path / "channels.toml"
    file.write_text(CHANNELS)
    settings = load_settings({"data_dir": str(tmp_path), "routing.configuration": str(file)}, {}, None)
    with memory_archive() as archive:
        outcome = store(archive, make_instance(identify()).content)
        now = archive.clock.now().timestamp()
        archive.index.ledger.add([outcome.instance_key], DeliveryPlan("pacs", "router", "all", 1), now=now - 60)
        text = _text(Observed(AssociationRegister(), router=RouterObserved(OfflineDesk(archive, settings))))
    deliveries = 'isocenter_router_deliveries{channel="router",counter="%s",destination="pacs"} %s'
    for counter, number in (("received", "1.0"), ("waiting", "1.0"), ("delivered", "0.0")):
        assert deliveries % (counter, number) in text
    assert 'isocenter_router_oldest_age_seconds{destination="pacs"} 60.0' in text
    assert 'isocenter_router_channel_state{channel="router",state="started"} 1.0' in text
    assert 'isocenter_router_channel_state{channel="router",state="paused"} 0.0' in text


def test_a_node_that_routes_nothing_tells_of_nothing() -> None:
    assert "isocenter_router_deliveries{" not in _text(Observed(AssociationRegister()))
