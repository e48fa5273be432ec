"""What a retrieval came to: what is here now, held against what the archive says it has."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from isocenter.app.console.query_jobs import Job
from isocenter.domain.errors import IsocenterError
from isocenter.web.pages.query_exchange import PeerFailed, RetrievalState

DID_NOT_COME = "the archive has it and it did not come"


def conclude(
    job: Job,
    *,
    here: Collection[str],
    told: str = "",
    reasons: Mapping[str, str] | None = None,
    error: IsocenterError | None = None,
) -> None:
    """Write state, outcome and failures of a retrieval that has ended.

    `here` are the SOP Instance UIDs of its scope that are stored here, `told` is what the archive ended with where
    that is no success, `reasons` is what it said of single instances.
    """
    known = dict(reasons or {})
    missing = [uid for uid in job.listed if uid not in here]
    failed = dict.fromkeys([*missing, *(uid for uid in known if uid not in here)])
    job.failures = tuple((uid, known.get(uid, DID_NOT_COME)) for uid in failed)
    job.here = len(here)
    job.failed = max(len(failed), job.failed if not job.listed else 0)
    is_whole = not missing if job.listed else bool(here) and not job.failed and not told and error is None
    job.state = _state(job, is_whole=is_whole)
    job.outcome = _outcome(job, is_whole=is_whole, told=told, error=error)
    job.remedy = error.remedy if isinstance(error, PeerFailed) and not is_whole else ""


def _state(job: Job, *, is_whole: bool) -> RetrievalState:
    if is_whole:
        return RetrievalState.DONE
    if job.is_cancelled:
        return RetrievalState.CANCELLED
    return RetrievalState.INCOMPLETE if job.here else RetrievalState.FAILED


def _outcome(job: Job, *, is_whole: bool, told: str, error: IsocenterError | None) -> str:
    if is_whole:
        return f"All {job.here:,} instances are here." if job.here != 1 else "The one instance is here."
    expected = f" of {job.expected:,}" if job.expected else ""
    parts = ["Cancelled." if job.is_cancelled else "", f"{job.here:,}{expected} instances are here."]
    if error is not None and not job.is_cancelled:
        meaning = error.meaning if isinstance(error, PeerFailed) else ""
        parts += [error.message, meaning]
    elif told and not job.is_cancelled:
        parts.append(f"{job.peer.row.name} ended with {told}.")
    elif not job.here and not job.is_cancelled:
        parts.append(f"{job.peer.row.name} sent nothing.")
    return " ".join(part for part in parts if part)
