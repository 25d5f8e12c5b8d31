"""Work shared among the workers of a Dask cluster: results as they come, whoever is killed.

Files are not sent: scheduler, workers and this process look at one shared file system. A unit may
be done twice, by a worker that was lost after it had done it and by the one that took its place:
what comes of an item must be the same however often it is done.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from distributed import Client

from leadline.cluster import session as sessions
from leadline.cluster.passport import Passport
from leadline.cluster.session import NoAnswer, SchedulerLost, Session, check_workers, connected
from leadline.cluster.units import Raised, Unit
from leadline.files import temporary_beside
from leadline.workers import Item, Result, Work

LOSSES = 10
"""Times in a row that a scheduler may be lost before a result comes."""
UNITS_A_THREAD = 3
"""Units in hand for each thread: the next is there when one is done."""
THREADS_FOR_SINGLES = 16
"""Threads to whom items are handed out singly; for twice as many, two make a unit, and so on. So
many threads ask for 150 units a second, if an item is a ninth of a second of work as a pair of
images is; a scheduler hands out 840 at most (benchmarks/hints_cluster.md)."""
MOST_IN_A_UNIT = 64


@dataclass(frozen=True)
class ClusterCrew:
    """The workers of the scheduler at an address; results are written below `folder`.

    All workers are asked, before any work, whether they have the same programs and see `folder`
    and the files `examples` as they are here; all paths are absolute.
    """

    scheduler: str
    folder: Path
    examples: tuple[Path, ...]
    tell: Callable[[str], None]

    def __call__(self, work: Work[Item, Result], items: Sequence[Item]) -> Iterator[Result]:
        """One result an item, as they are done.

        A scheduler that is lost is waited for, and what it has not given back is handed out again.
        An item whose workers are killed is tried once more alone; then it is `work.killed`.

        Raises:
            ValueError: the address is none.
            ConnectionError: nobody answers there.
            RuntimeError: a worker may not take part, none is there, or the scheduler stays away.
        """
        return _Course(self, work, items).results()


class _Course(Generic[Item, Result]):
    """How far one piece of work has come."""

    def __init__(self, crew: ClusterCrew, work: Work[Item, Result], items: Sequence[Item]) -> None:
        self._crew = crew
        self._work = work
        self._waiting = deque(items)
        self._suspects: deque[Item] = deque()
        self._passport = Passport.of_here(crew.folder)

    def results(self) -> Iterator[Result]:
        address = self._crew.scheduler
        met, losses = False, 0
        while self._waiting or self._suspects:
            try:
                with connected(address, sessions.PATIENCE if met else 0) as client:
                    session = Session(client, self._work, self._passport, self._crew.tell)
                    session.count_threads()
                    self._check_workers(client)
                    if met:
                        self._crew.tell("the scheduler is back; the work goes on")
                    met = True
                    for result in self._results_of(session):
                        losses = 0
                        yield result
            except NoAnswer:
                raise self._absence(met) from None
            except SchedulerLost:
                losses += 1
                if losses > LOSSES:
                    raise RuntimeError(
                        f"{address}: the scheduler was lost {losses} times before any result came; "
                        "look for the cause in its log"
                    ) from None
                self._crew.tell(
                    f"lost the scheduler {address}; waiting up to {sessions.PATIENCE:.0f} s for it"
                )

    def _results_of(self, session: Session[Item, Result]) -> Iterator[Result]:
        try:
            while self._waiting or self._suspects or session.units:
                self._hand_out(session)
                unit, results = session.take()
                if results is not None:
                    yield from _unless_raised(results)
                elif unit.alone:
                    yield self._work.killed(unit.items[0])
                else:
                    self._suspects.extend(unit.items)
        finally:
            self._take_back(session.units)
            session.drop()

    def _hand_out(self, session: Session[Item, Result]) -> None:
        window = UNITS_A_THREAD * session.threads
        size = min(-(-session.threads // THREADS_FOR_SINGLES), len(self._waiting) // window)
        size = min(max(size, 1), MOST_IN_A_UNIT)
        while self._waiting and len(session.units) < window:
            taken = min(size, len(self._waiting))
            session.give(Unit(tuple(self._waiting.popleft() for _ in range(taken))))
        if self._suspects and not session.units:
            session.give(Unit((self._suspects.popleft(),), alone=True))

    def _take_back(self, units: Sequence[Unit[Item]]) -> None:
        for unit in units:
            (self._suspects if unit.alone else self._waiting).extend(unit.items)

    def _check_workers(self, client: Client) -> None:
        mark = temporary_beside(self._crew.folder / "seen.txt")
        self._crew.folder.mkdir(parents=True, exist_ok=True)
        try:
            mark.write_text("Whoever works on these files must see this one.\n")
            check_workers(client, Passport.of_here(self._crew.folder, (mark, *self._crew.examples)))
        finally:
            mark.unlink(missing_ok=True)

    def _absence(self, met: bool) -> Exception:
        address = self._crew.scheduler
        if met:
            return RuntimeError(
                f"{address}: the scheduler did not come back within {sessions.PATIENCE:.0f} s; "
                "what is written is whole: start it, then give the same command again"
            )
        return ConnectionError(
            f"{address}: no Dask scheduler answers there; start one (`dask scheduler`), or leave "
            "out --scheduler to work on this machine alone"
        )


def _unless_raised(results: Sequence[Result | Raised]) -> Iterator[Result]:
    for result in results:
        if isinstance(result, Raised):
            raise result.error
        yield result
