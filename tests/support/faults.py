"""Ports that fail at the n-th call: before it does anything, or after it did all and before its caller learns of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from isocenter.domain.errors import StorageFailed
from isocenter.ports.blobs import BlobSpool, BlobStore
from isocenter.ports.index import InstanceIndex

ErrorFactory = Callable[[], Exception]


class Fault:
    """The n-th call of all wrapped ports raises; after StorageFailed every call does, until `mend`."""

    def __init__(self, make_error: ErrorFactory, *, at_call: int, is_after: bool) -> None:
        self._make_error = make_error
        self._at_call = at_call
        self._is_after = is_after
        self._calls = 0
        self._is_armed = False
        self._is_latched = False
        self.has_fired = False
        self.open_spools = 0

    def arm(self) -> None:
        """Begin to count."""
        self._is_armed = True

    def mend(self) -> None:
        """Let all calls pass, as after a restart on a sound volume."""
        self._is_armed = self._is_latched = False

    @property
    def is_latched(self) -> bool:
        """Tell whether everything fails now."""
        return self._is_latched

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call, or fail."""
        if self._is_latched:
            raise StorageFailed()
        if not self._is_armed:
            return function(*args, **kwargs)
        self._calls += 1
        if self._calls != self._at_call:
            return function(*args, **kwargs)
        if self._is_after:
            function(*args, **kwargs)
        self.has_fired = True
        error = self._make_error()
        self._is_latched = isinstance(error, StorageFailed)
        raise error


class _Faulty:
    """Forward every method through a fault, and keep count of spools that are open."""

    _never = frozenset({"discard", "is_failed"})

    def __init__(self, inner: object, fault: Fault) -> None:
        self._inner = inner
        self._fault = fault
        self._is_open = False

    @property
    def is_failed(self) -> bool:
        return self._fault.is_latched

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "revisions":
            return _Faulty(found, self._fault)
        if not callable(found) or name in self._never:
            return found
        return lambda *args, **kwargs: self._fault.call(found, args, kwargs)

    def open_spool(self) -> BlobSpool:
        inner = cast(BlobStore, self._inner)  # only stores are asked for a spool
        spool = _Faulty(self._fault.call(inner.open_spool, (), {}), self._fault)
        spool._is_open = True
        self._fault.open_spools += 1
        return cast(BlobSpool, spool)  # forwards every method of one

    def seal(self, *args: Any) -> Any:
        sealed = self._fault.call(cast(BlobSpool, self._inner).seal, args, {})  # only spools are sealed
        self._close()
        return sealed

    def discard(self) -> None:
        cast(BlobSpool, self._inner).discard()  # only spools are discarded
        self._close()

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._fault.open_spools -= 1


def faulty_blobs(inner: BlobStore, fault: Fault) -> BlobStore:
    """Return a blob store whose calls, and those of its spools, may fail."""
    return cast(BlobStore, _Faulty(inner, fault))  # forwards every method of one


def faulty_index(inner: InstanceIndex, fault: Fault) -> InstanceIndex:
    """Return an index whose calls may fail."""
    return cast(InstanceIndex, _Faulty(inner, fault))  # forwards every method of one
