"""The state machine of the upper layer as data (PS3.8 table 9-10, edition 2025) and the one look-up in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """PS3.8 tables 9-1 to 9-5."""

    IDLE = 1  # Sta1
    AWAITING_ASSOCIATE_RQ = 2  # Sta2: the transport connection is open
    AWAITING_LOCAL_ASSOCIATE_RESPONSE = 3  # Sta3
    AWAITING_TRANSPORT = 4  # Sta4
    AWAITING_ASSOCIATE_ANSWER = 5  # Sta5
    ESTABLISHED = 6  # Sta6
    AWAITING_RELEASE_RP = 7  # Sta7
    AWAITING_LOCAL_RELEASE_RESPONSE = 8  # Sta8
    COLLISION_REQUESTOR_LOCAL = 9  # Sta9: the response of the local user
    COLLISION_ACCEPTOR_RP = 10  # Sta10
    COLLISION_REQUESTOR_RP = 11  # Sta11
    COLLISION_ACCEPTOR_LOCAL = 12  # Sta12: the response of the local user
    AWAITING_CLOSE = 13  # Sta13: the association exists no longer

    # Identity, as Enum compares; the inherited hash is a call in Python on the way of every PDU.
    __hash__ = object.__hash__


class Stimulus(Enum):
    """What moves the machine: the event column of the table."""

    ASSOCIATE_REQUEST = 1  # Evt1
    TRANSPORT_CONFIRMED = 2  # Evt2
    ASSOCIATE_AC_PDU = 3  # Evt3
    ASSOCIATE_RJ_PDU = 4  # Evt4
    TRANSPORT_INDICATED = 5  # Evt5
    ASSOCIATE_RQ_PDU = 6  # Evt6
    ASSOCIATE_ACCEPT = 7  # Evt7
    ASSOCIATE_REJECT = 8  # Evt8
    DATA_REQUEST = 9  # Evt9
    DATA_PDU = 10  # Evt10
    RELEASE_REQUEST = 11  # Evt11
    RELEASE_RQ_PDU = 12  # Evt12
    RELEASE_RP_PDU = 13  # Evt13
    RELEASE_RESPONSE = 14  # Evt14
    ABORT_REQUEST = 15  # Evt15
    ABORT_PDU = 16  # Evt16
    TRANSPORT_CLOSED = 17  # Evt17
    ARTIM_EXPIRED = 18  # Evt18
    INVALID_PDU = 19  # Evt19

    __hash__ = object.__hash__


class Action(Enum):
    """PS3.8 tables 9-6 to 9-9."""

    AE_1 = "issue a transport connect request"
    AE_2 = "send A-ASSOCIATE-RQ"
    AE_3 = "confirm the association as accepted"
    AE_4 = "confirm the association as rejected, close"
    AE_5 = "answer the transport connection, start ARTIM"
    AE_6 = "stop ARTIM; indicate the association, or send A-ASSOCIATE-RJ and start ARTIM"
    AE_7 = "send A-ASSOCIATE-AC"
    AE_8 = "send A-ASSOCIATE-RJ, start ARTIM"
    DT_1 = "send P-DATA-TF"
    DT_2 = "indicate data"
    AR_1 = "send A-RELEASE-RQ"
    AR_2 = "indicate the release"
    AR_3 = "confirm the release, close"
    AR_4 = "send A-RELEASE-RP, start ARTIM"
    AR_5 = "stop ARTIM"
    AR_6 = "indicate data while awaiting A-RELEASE-RP"
    AR_7 = "send P-DATA-TF before the release is answered"
    AR_8 = "indicate the release: a collision"
    AR_9 = "send A-RELEASE-RP in a collision"
    AR_10 = "confirm the release in a collision"
    AA_1 = "send A-ABORT of the service user, start ARTIM"
    AA_2 = "stop ARTIM, close"
    AA_3 = "indicate the peer's abort, close"
    AA_4 = "indicate an abort of the provider"
    AA_5 = "stop ARTIM without an association"
    AA_6 = "ignore the PDU"
    AA_7 = "send A-ABORT once more"
    AA_8 = "send A-ABORT of the service provider, indicate it, start ARTIM"


@dataclass(frozen=True, slots=True)
class Transition:
    """What to do and where that leads."""

    action: Action
    next_state: State
    otherwise: State | None = None
    """AE-6: where the provider rejects; AR-8: at the acceptor."""


# A row for each event, a column for each state; `action>next`, a dot where the event cannot happen or is not allowed.
# fmt: off
_TABLE = """
Evt Sta1     Sta2     Sta3     Sta4     Sta5     Sta6     Sta7     Sta8     Sta9     Sta10    Sta11    Sta12    Sta13
1   AE1>4    .        .        .        .        .        .        .        .        .        .        .        .
2   .        .        .        AE2>5    .        .        .        .        .        .        .        .        .
3   .        AA1>13   AA8>13   .        AE3>6    AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA6>13
4   .        AA1>13   AA8>13   .        AE4>1    AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA6>13
5   AE5>2    .        .        .        .        .        .        .        .        .        .        .        .
6   .        AE6>3/13 AA8>13   .        AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA7>13
7   .        .        AE7>6    .        .        .        .        .        .        .        .        .        .
8   .        .        AE8>13   .        .        .        .        .        .        .        .        .        .
9   .        .        .        .        .        DT1>6    .        AR7>8    .        .        .        .        .
10  .        AA1>13   AA8>13   .        AA8>13   DT2>6    AR6>7    AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA6>13
11  .        .        .        .        .        AR1>7    .        .        .        .        .        .        .
12  .        AA1>13   AA8>13   .        AA8>13   AR2>8    AR8>9/10 AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA6>13
13  .        AA1>13   AA8>13   .        AA8>13   AA8>13   AR3>1    AA8>13   AA8>13   AR10>12  AR3>1    AA8>13   AA6>13
14  .        .        .        .        .        .        .        AR4>13   AR9>11   .        .        AR4>13   .
15  .        .        AA1>13   AA2>1    AA1>13   AA1>13   AA1>13   AA1>13   AA1>13   AA1>13   AA1>13   AA1>13   .
16  .        AA2>1    AA3>1    .        AA3>1    AA3>1    AA3>1    AA3>1    AA3>1    AA3>1    AA3>1    AA3>1    AA2>1
17  .        AA5>1    AA4>1    AA4>1    AA4>1    AA4>1    AA4>1    AA4>1    AA4>1    AA4>1    AA4>1    AA4>1    AR5>1
18  .        AA2>1    .        .        .        .        .        .        .        .        .        .        AA2>1
19  .        AA1>13   AA8>13   .        AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA8>13   AA7>13
"""
# fmt: on


def _read_cell(cell: str) -> Transition:
    name, _, states = cell.partition(">")
    next_state, _, otherwise = states.partition("/")
    action = Action[f"{name[:2]}_{name[2:]}"]
    return Transition(action, State(int(next_state)), State(int(otherwise)) if otherwise else None)


def _read_table(table: str) -> dict[tuple[State, Stimulus], Transition]:
    transitions: dict[tuple[State, Stimulus], Transition] = {}
    for line in table.split("\n")[2:-1]:
        number, *cells = line.split()
        for state, cell in zip(State, cells, strict=True):
            if cell != ".":
                transitions[state, Stimulus(int(number))] = _read_cell(cell)
    return transitions


_TRANSITIONS = _read_table(_TABLE)


def transition_of(state: State, stimulus: Stimulus) -> Transition | None:
    """Return what a stimulus does in a state, or None where the table has no entry."""
    return _TRANSITIONS.get((state, stimulus))
