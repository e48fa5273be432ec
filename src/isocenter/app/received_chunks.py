"""Take in an instance that comes piece by piece from somebody who may stop, or be stopped, in the middle."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Event

from isocenter.archive.store import Reception
from isocenter.domain.errors import IsocenterError, Unavailable
from isocenter.ports.blobs import Buffer


def receive_chunks(reception: Reception, chunks: Iterable[Buffer], *, is_stopped: Event, told: str) -> str:
    """Return why an instance could not be kept; an empty text where it is durable.

    Raises Unavailable, with `told` where it was stopped; nothing of it stays then.
    """
    try:
        for chunk in chunks:
            if is_stopped.is_set():
                raise Unavailable(told)
            reception.write(bytes(chunk))
        reception.finish().result()
    except Unavailable:
        reception.abort()
        raise
    except IsocenterError as error:
        reception.abort()
        return error.message
    except BaseException:
        reception.abort()
        raise
    return ""
