"""The gate of a channel: the rules as they are now, and whether anything is let through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from isocenter.app.channels.control import Running
from isocenter.app.channels.planner import ArrivalPlanner, ChannelRules, Sender
from isocenter.app.channels.refusals import Refusals
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.errors import Unavailable
from isocenter.domain.identifiers import is_uid
from isocenter.web.api.router_desk import Refusal

Notify = Callable[[Iterable[str]], None]


class Gate:
    """What a source asks before it takes anything in. Rules and state are replaced whole, so threads may read them."""

    def __init__(self, rules: ChannelRules, *, now: Callable[[], datetime], refusals: Refusals, notify: Notify) -> None:
        """`notify` is told of the destinations of deliveries that have begun."""
        self.rules = rules
        self.running = Running.STOPPED
        self.now = now
        self._refusals = refusals
        self._notify = notify

    @property
    def name(self) -> str:
        """Return the name of the channel."""
        return self.rules.channel.name

    def planner(self, sender: Sender) -> ArrivalPlanner:
        """Return what plans for an instance of a sender; raises Unavailable while the channel takes nothing."""
        if self.running is not Running.STARTED:
            raise Unavailable(f"The channel {self.name} is {self.running.value}.")
        return ArrivalPlanner(self.rules, sender, self.now, self.note_begun)

    def note_begun(self, plans: Sequence[DeliveryPlan]) -> None:
        """Tell whoever sends that deliveries have begun; from any thread."""
        self._notify([plan.destination for plan in plans])

    def note_refusal(
        self, sender: str, *, status: str, reason: str, sop_instance_uid: str = "", sop_class_uid: str = ""
    ) -> None:
        """Keep that an instance was refused, for people; what is no UID may be anything, and is left out."""
        instance, sop_class = (uid if is_uid(uid) else "" for uid in (sop_instance_uid, sop_class_uid))
        self._refusals.note(Refusal(self.now().timestamp(), self.name, sender, instance, sop_class, status, reason))
