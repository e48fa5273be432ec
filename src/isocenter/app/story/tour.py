"""The story as a guided tour: one step at a time, at the press of a button, remembered over restarts of the hospital.

press ─▶ may it be played now? ─▶ a thread plays it ─▶ every change is told ─▶ the result is kept in the folder
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from contextlib import ExitStack

import structlog

from isocenter.app.hospital.control import HospitalControl, PartState
from isocenter.app.hospital.reach import Reach
from isocenter.app.story.images import in_order_of_use
from isocenter.app.story.plan import STEPS, step_plan
from isocenter.app.story.player import play_steps
from isocenter.app.story.stage import Stage
from isocenter.app.story.step import StepResult, StepState
from isocenter.app.story.telling import verdict_of
from isocenter.app.story.tour_memory import memory_file, read_memory, write_memory
from isocenter.app.story.tour_view import tour_view
from isocenter.domain.errors import Conflict, IsocenterError, NotFound
from isocenter.modality.story import Script, StoryStudy
from isocenter.web.pages.tour import TourView

_log = structlog.get_logger()

_SCRIPTS = {
    1: (Script.PRELOAD,),
    2: (Script.TO_PACS,),
    5: (Script.TO_ROUTER, Script.TO_ROUTER_EXTRA),
    6: (Script.MIGRATE,),
}
"""What is sent in which step: it is made by another process, so that this one, over which images pass, stays quick."""
_CLOSE_WAIT_S = 2.0
"""For a step that is played while everything ends; its thread ends with the process at the latest."""


class StoryTour:
    """Plays the story in a running hospital. Safe for threads."""

    def __init__(self, reach: Reach, control: HospitalControl) -> None:
        self._reach = reach
        self._control = control
        self._file = memory_file(reach)
        self._memory = read_memory(self._file)
        self._lock = threading.Lock()
        self._live: StepResult | None = None
        """The step that is being played, as far as it is."""
        self._thread: threading.Thread | None = None
        self._changes = 0
        self._is_closing = False

    def view(self) -> TourView:
        """Return how everything stands."""
        with self._lock:
            results = dict(self._memory.results)
            live = self._live
            is_playing = self._is_playing
        if live is not None:
            results[live.number] = live
        playing = (live.number if live is not None else STEPS[0].number) if is_playing else None
        is_all = not is_playing and len(results) == len(STEPS)
        verdict = verdict_of([results[plan.number] for plan in STEPS]) if is_all else ""
        return tour_view(self._reach, results, playing=playing, verdict=verdict)

    def mark(self) -> Hashable:
        """Return what changes whenever there is something else to see."""
        return self._changes

    def play(self, number: int) -> None:
        """Begin to play a step; raises Conflict where that cannot be now, NotFound."""
        if not 1 <= number <= len(STEPS):
            raise NotFound("There is no such step.")
        before = [plan.number for plan in STEPS[: number - 1] if plan.number not in self._memory.results]
        if before:
            raise Conflict(f"Play step {before[0]} first; the tour goes on from there.")
        self._begin([number])

    def play_all(self) -> None:
        """Begin to play all steps; raises Conflict where that cannot be now."""
        self._begin([plan.number for plan in STEPS])

    def close(self) -> None:
        """Begin nothing more, and keep nothing of what ends with the hospital."""
        with self._lock:
            self._is_closing = True
            thread = self._thread
        if thread is not None:
            thread.join(_CLOSE_WAIT_S)

    @property
    def _is_playing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _begin(self, numbers: Sequence[int]) -> None:
        with self._lock:
            self._require_idle(numbers[0])  # before the parts are asked: a step that is played may have stopped one
        problem = self._problem()
        with self._lock:
            self._require_idle(numbers[0])
            if problem:
                raise Conflict(problem)
            if self._is_closing:
                raise Conflict("The hospital is ending.")
            self._thread = threading.Thread(target=self._run, args=(tuple(numbers),), name="tour", daemon=True)
            self._live = StepResult(numbers[0], StepState.PLAYING)
            self._changes += 1
            self._thread.start()

    def _require_idle(self, wanted: int) -> None:
        if self._is_playing:
            number = wanted if self._live is None else self._live.number
            raise Conflict(f"Step {number} is being played; wait until it has ended.")

    def _run(self, numbers: tuple[int, ...]) -> None:
        try:
            self._play(numbers)
        except Exception:  # the outermost frame of the thread: the next press of a button starts another one
            _log.exception("story.tour_broken")
        finally:
            with self._lock:
                self._live = None
                self._changes += 1

    def _problem(self) -> str:
        """Return why the story cannot be played in the hospital as it is; empty where it can."""
        try:
            status = self._control.status()
        except IsocenterError as error:
            return error.message
        down = [part.name.value for part in status.parts if part.state is not PartState.RUNNING]
        cut = [line.name.value for line in status.lines if line.cut is not None]
        if down:
            return f"The {down[0]} does not run; start it on the page of the network, then play the step."
        if cut:
            return f"The line to the {cut[0]} is cut; heal it on the page of the network, then play the step."
        return ""

    def _play(self, numbers: tuple[int, ...]) -> None:
        stage = Stage(self._reach, self._control, is_exclusive=False)
        memory = self._memory
        stage.play, stage.books.played = memory.play, set(memory.played)
        stage.books.sent_under_trouble = dict(memory.sent_under_trouble)
        with ExitStack() as stack:
            stack.enter_context(stage.images.making(_studies(stage, numbers)))

            stack.callback(stage.router.close)

            def note(result: StepResult) -> None:
                self._note(result, stage)

            play_steps(stage, numbers, note, is_time_over=lambda: self._is_closing)

    def _note(self, result: StepResult, stage: Stage) -> None:
        """Take what a step has come to, and keep it where it has ended."""
        with self._lock:
            self._changes += 1
            if result.state is StepState.PLAYING:
                self._live = result
                return
            if self._is_closing:
                return
            self._live = None
            play = self._memory.play + int(step_plan(result.number).breaks)
            memory = self._memory.with_result(result).with_books(stage.books, play=play)
            stage.play = play
            self._memory = memory
        write_memory(self._file, memory)


def _studies(stage: Stage, numbers: Sequence[int]) -> list[StoryStudy]:
    wanted = {script for number in numbers for script in _SCRIPTS.get(number, ())}
    return [study for study in in_order_of_use(stage.books.studies) if study.script in wanted]
