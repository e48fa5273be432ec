"""Channels whose instances come by STOW-RS: store requests to `/channels/NAME/studies`, authorised like any store.

Answers name instances where they can be retrieved: below the root of the node's own archive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from isocenter.app.channels.acknowledgement import DeliveryWait
from isocenter.app.channels.control import Running
from isocenter.app.channels.gate import Gate
from isocenter.app.channels.planner import ArrivalPlanner, Sender
from isocenter.app.channels.router import Lane, Router
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.routes import offer_in_front
from isocenter.dicomweb.server.service import Call, Service
from isocenter.dicomweb.server.store import StoreOnward, store_instances
from isocenter.dicomweb.server.store_answer import Submitted
from isocenter.domain.errors import Conflict, InvalidDataset, IsocenterError, NotFound, Unavailable
from isocenter.domain.outcome import StoreOutcome
from isocenter.domain.statuses import OUT_OF_RESOURCES, statuses_of
from isocenter.routing.configuration.channel import Acknowledgement, StowSource

FIRST_SEGMENT = "/channels"
_RETRIEVED_BELOW = "/dicom-web"


class StowChannelSource:
    """The address of one channel: it is there as long as the web server is."""

    stays_open_paused = True

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def address(self) -> str:
        """Return the path of store requests."""
        return f"{FIRST_SEGMENT}/{self._name}/studies"

    async def open(self) -> None:
        """Do nothing: the gate says whether anything is taken."""

    async def close(self) -> None:
        """Do nothing."""


class ChannelStores:
    """Serve the store requests of all channels (ASGI)."""

    def __init__(self, router: Router, service: Service) -> None:
        self._router = router
        self._service = replace(service, has_partitions=False)
        self._made: dict[str, tuple[Lane, ASGIApp]] = {}
        """Applications by channel, with what each was made for: another configuration makes others."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name = scope["path"][len(FIRST_SEGMENT) + 1 :].split("/", 1)[0]
        application = self._application(name) or PlainTextResponse("There is no such address.", status_code=404)
        await application(scope, receive, send)

    def _application(self, name: str) -> ASGIApp | None:
        """Return what serves a channel, None where none of that name takes store requests now."""
        try:
            lane = self._router.lane(name)
        except NotFound:
            return None
        source = lane.channel.source
        if not isinstance(source, StowSource) or lane.gate.running is Running.STOPPED:
            return None
        made_for, application = self._made.get(name, (None, None))
        if application is None or made_for is not lane:
            application = self._make(lane, source)
            self._made[name] = lane, application
        return application

    def _make(self, lane: Lane, source: StowSource) -> ASGIApp:
        is_delivered = source.acknowledge is Acknowledgement.DELIVERED
        wait = DeliveryWait(self._service.archive.index.ledger) if is_delivered else None
        onward = StoreOnward(
            planner=partial(_planner, lane.gate),
            note_refusal=partial(_note_refusal, lane.gate),
            wait_delivered=None if wait is None else partial(_wait_delivered, wait),
        )
        root_path = f"{FIRST_SEGMENT}/{lane.channel.name}"
        offer = offer_in_front({store_instances: partial(_store, onward, root_path)})
        return DicomwebApplication(self._service, root_path=root_path, offer=offer)


async def _store(onward: StoreOnward, root_path: str, call: Call) -> Response:
    root = call.root.removesuffix(root_path) + _RETRIEVED_BELOW
    return await store_instances(replace(call, root=root), onward)


def _planner(gate: Gate, call: Call) -> ArrivalPlanner:
    return gate.planner(Sender(address=_address(call)))


def _note_refusal(gate: Gate, call: Call, submitted: Submitted, error: IsocenterError) -> None:
    # The words of an invalid data set may hold values, which its sender is told and nobody else.
    reason = (type(error).__doc__ or "") if isinstance(error, InvalidDataset) else error.message
    gate.note_refusal(
        f"{call.principal.name}@{_address(call) or ''}",
        status=f"{statuses_of(error).failure_reason:04X}",
        reason=reason,
        sop_instance_uid=submitted.sop_instance_uid,
        sop_class_uid=submitted.sop_class_uid,
    )


def _address(call: Call) -> str | None:
    return None if call.request.client is None else call.request.client.host


async def _wait_delivered(wait: DeliveryWait, outcome: StoreOutcome) -> IsocenterError | None:
    answer = await wait.answer(outcome)
    if answer.status == 0 or answer.status >> 12 == 0xB:
        return None
    make: Callable[[str], IsocenterError] = Unavailable if answer.status == OUT_OF_RESOURCES else Conflict
    return make(answer.comment)
