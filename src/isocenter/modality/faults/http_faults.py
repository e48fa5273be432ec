"""Faults of HTTP on one connection: requests answered, silenced or robbed of their token, answers cut. Sans-I/O.

Every request decides anew, so that connections which are kept alive are no matter. What is not HTTP/1.1 passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import TypeVar

from isocenter.modality.faults.action import Action, Cut, CutKind, Pass
from isocenter.modality.faults.board import FaultBoard
from isocenter.modality.faults.fault import (
    Direction,
    HttpAnswer,
    HttpFault,
    HttpSilence,
    HttpToken,
    HttpTruncate,
)
from isocenter.modality.faults.http_message import HEAD_LENGTH_MAX, BodySeen, Head, HeadSeen, NotHttp, RequestStream

T = TypeVar("T", bound=HttpFault)


class HttpFaults:
    """Decide what becomes of the requests and answers of one connection."""

    def __init__(self, board: FaultBoard, counts: Counter[str]) -> None:
        self._board = board
        self._counts = counts
        self._requests = RequestStream()
        self._answer: HttpAnswer | None = None
        """Sent when the request has come whole: clients read no answer before."""
        self._is_swallowing = False
        self._is_over = False
        self._truncate_after: int | None = None
        self._answer_head = bytearray()
        self._awaits_answer_head = False

    def receive(self, direction: Direction, data: bytes) -> list[Action]:
        """Return what is to be done with bytes that came from the start of a direction."""
        if self._is_over:
            return []
        if direction is Direction.ANSWERS:
            return self._receive_answer(data)
        actions: list[Action] = []
        for seen in self._requests.feed(data):
            match seen:
                case HeadSeen(head):
                    self._begin(head, actions)
                case BodySeen(data=body, is_last=is_last):
                    self._go_on(body, actions, is_last=is_last)
                case NotHttp(data=rest):
                    actions.append(Pass(Direction.REQUESTS, rest))
        return actions

    def _begin(self, head: Head, actions: list[Action]) -> None:
        self._counts["requests"] += 1
        self._is_swallowing, self._answer, self._truncate_after = False, None, None
        self._awaits_answer_head, self._answer_head = True, bytearray()
        if self._strikes(HttpSilence, head) is not None:
            self._is_swallowing = True
        elif (answer := self._strikes(HttpAnswer, head)) is not None:
            self._is_swallowing, self._answer = True, answer
            if head.values("Expect"):
                self._send_answer(actions)
        else:
            if (truncate := self._strikes(HttpTruncate, head)) is not None:
                self._truncate_after = truncate.after_bytes
            actions.append(Pass(Direction.REQUESTS, self._with_token(head).raw))

    def _go_on(self, body: bytes, actions: list[Action], *, is_last: bool) -> None:
        if not self._is_swallowing:
            if body:
                actions.append(Pass(Direction.REQUESTS, body))
        elif is_last and self._answer is not None and not self._is_over:
            self._send_answer(actions)

    def _send_answer(self, actions: list[Action]) -> None:
        assert self._answer is not None
        self._counts[f"answered {self._answer.status}"] += 1
        self._is_over = True
        actions += [Pass(Direction.ANSWERS, render_answer(self._answer)), Cut(CutKind.CLOSE, Direction.ANSWERS)]

    def _with_token(self, head: Head) -> Head:
        fault = self._strikes(HttpToken, head)
        if fault is None:
            return head
        return head.replaced("Authorization", f"Bearer {fault.token}" if fault.token else None)

    def _strikes(self, kind: type[T], head: Head) -> T | None:
        for active, fault in self._board.of(kind):
            if _fits(fault, head) and active.is_drawn() and active.strike():
                return fault
        return None

    # Answers

    def _receive_answer(self, data: bytes) -> list[Action]:
        """Pass an answer on, and end it early where its request was chosen for that."""
        if not self._awaits_answer_head and self._truncate_after is None:
            return [Pass(Direction.ANSWERS, data)]
        actions: list[Action] = []
        if self._awaits_answer_head:
            self._answer_head += data
            if len(self._answer_head) > HEAD_LENGTH_MAX:
                self._awaits_answer_head, self._truncate_after = False, None
                return [Pass(Direction.ANSWERS, bytes(self._answer_head))]
            data = b"".join(self._take_answer_head(actions))
        return [*actions, *self._truncated(data)]

    def _take_answer_head(self, actions: list[Action]) -> Iterator[bytes]:
        """Pass the heads of an answer, of interim ones too, and yield what stands behind."""
        while (end := self._answer_head.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._answer_head[: end + 4])
            del self._answer_head[: end + 4]
            actions.append(Pass(Direction.ANSWERS, head))
            status = head[9:12].decode("latin-1")
            if not status.startswith("1"):
                if status.isdecimal():
                    self._counts[f"status {status}"] += 1
                self._awaits_answer_head = False
                yield bytes(self._answer_head)
                return

    def _truncated(self, data: bytes) -> list[Action]:
        if not data:
            return []
        if self._truncate_after is None:
            return [Pass(Direction.ANSWERS, data)]
        if len(data) <= self._truncate_after:
            self._truncate_after -= len(data)
            return [Pass(Direction.ANSWERS, data)]
        before = data[: self._truncate_after]
        self._is_over = True
        passed: list[Action] = [Pass(Direction.ANSWERS, before)] if before else []
        return [*passed, Cut(CutKind.CLOSE, Direction.ANSWERS)]


def render_answer(answer: HttpAnswer) -> bytes:
    """Return the bytes of an answer that a fault gives."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Fault"
    body = f"{answer.status} {phrase}: set on this link as a fault.\n".encode()
    lines = [
        f"HTTP/1.1 {answer.status} {phrase}",
        "Content-Type: text/plain",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if answer.retry_after_s is not None:
        lines.append(f"Retry-After: {round(answer.retry_after_s)}")
    if answer.location:
        lines.append(f"Location: {answer.location}")
    if answer.status == HTTPStatus.UNAUTHORIZED:
        lines.append('WWW-Authenticate: Bearer error="invalid_token", error_description="The token has expired."')
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


def _fits(fault: HttpFault, head: Head) -> bool:
    method, _, rest = head.start_line.partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    return (not fault.method or fault.method.upper() == method) and (not fault.path or fnmatchcase(path, fault.path))
