"""One connection to a Dask scheduler, and the units that are in its hands."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic
from uuid import uuid4

from distributed import Client, Future, KilledWorker

from leadline.cluster.passport import Passport
from leadline.cluster.units import Raised, Unit, do_unit
from leadline.workers import Item, Result, Work

ANSWER = 10.0
"""Seconds within which a scheduler that is there answers."""
PATIENCE = 300.0
"""Seconds to wait for a scheduler that was there, or for a worker."""
LOOK = 1.0
"""Seconds between two looks at whether all is well."""
COUNT = 5.0
"""Seconds between two counts of the workers."""
UNANSWERED = (CancelledError, asyncio.CancelledError, OSError)
"""What asking a scheduler raises that is gone."""
LOGGERS = ("distributed", "distributed.client", "distributed.core", "tornado.application")
"""They tell at length of a lost connection, which is told in a line here."""


class SchedulerLost(Exception):
    """The scheduler is gone, or it has forgotten what it was to do."""


class NoAnswer(Exception):
    """There is no scheduler."""


class Session(Generic[Item, Result]):
    """Units of one piece of work that a scheduler was asked for and has not given back."""

    def __init__(
        self,
        client: Client,
        work: Work[Item, Result],
        passport: Passport,
        tell: Callable[[str], None],
    ) -> None:
        self.threads = 1
        self._client = client
        self._work = work
        self._passport = passport
        self._tell = tell
        self._given: dict[str, tuple[Future[Any], Unit[Item]]] = {}
        self._done: SimpleQueue[Future[Any]] = SimpleQueue()
        self._counted = 0.0

    @property
    def units(self) -> list[Unit[Item]]:
        """What is not given back yet, first given first."""
        return [unit for _, unit in self._given.values()]

    def give(self, unit: Unit[Item]) -> None:
        """Ask for one unit; its key, which the dashboard shows, begins with the label."""
        name = self._work.name(unit.items[0])
        key = f"{self._work.label}-{name}-{uuid4().hex}"
        future = self._client.submit(
            do_unit, self._work.do, unit, self._passport, key=key, pure=False
        )
        self._given[key] = future, unit
        future.add_done_callback(self._done.put)

    def take(self) -> tuple[Unit[Item], list[Result | Raised] | None]:
        """The next unit that is done and its results; None: every worker that took it was killed.

        Raises:
            SchedulerLost: nothing more will come.
            RuntimeError: there is no worker, or one cannot read what it is sent.
        """
        future = self._next_done()
        try:
            results = future.result()
        except KilledWorker:
            results = None
        except UNANSWERED:
            raise SchedulerLost from None
        except Exception as error:
            raise RuntimeError(
                f"a worker cannot do its part ({_shortly(error)}); install the same versions on "
                "all machines"
            ) from None
        _, unit = self._given.pop(str(future.key))
        return unit, results

    def count_threads(self) -> None:
        """Wait until there are workers, and count their threads.

        Raises:
            SchedulerLost: nobody answers.
            RuntimeError: no worker came.
        """
        end = time.monotonic() + PATIENCE
        self.threads = self._threads_now()
        if not self.threads:
            self._tell(f"no worker is there; waiting up to {PATIENCE:.0f} s for one")
        while not self.threads:
            if time.monotonic() > end:
                raise RuntimeError(
                    f"no worker came within {PATIENCE:.0f} s; what is written is whole: start some "
                    "(`dask worker ADDRESS --nthreads 1`), then give the same command again"
                )
            time.sleep(LOOK)
            self.threads = self._threads_now()
        self._counted = time.monotonic()

    def drop(self) -> None:
        """Give up what is under way; workers end what they have begun."""
        with suppress(Exception):
            self._client.cancel([future for future, _ in self._given.values()], force=True)

    def _next_done(self) -> Future[Any]:
        while True:
            with suppress(Empty):
                return self._done.get(timeout=LOOK)
            if self._client.status != "running":
                raise SchedulerLost
            if time.monotonic() > self._counted + COUNT:
                self.count_threads()

    def _threads_now(self) -> int:
        try:
            threads = int(sum(self._client.nthreads().values()))
        except UNANSWERED:
            raise SchedulerLost from None
        # A client that has lost its scheduler answers as well: that nobody is there.
        if self._client.status != "running":
            raise SchedulerLost
        return threads


@contextmanager
def connected(address: str, seconds: float) -> Iterator[Client]:
    """A client of the scheduler at `address`, which may take so long to answer.

    Raises:
        ValueError: this is no address.
        NoAnswer: nobody answers.
        ImportError: the scheduler's Dask is another.
    """
    if not re.fullmatch(r"(\w+://)?[^/\s]+:\d+", address):
        raise ValueError(f"scheduler: expected an address like tcp://HOST:8786, got {address!r}")
    with _silent_loggers():
        client = _client(address, time.monotonic() + seconds)
        try:
            yield client
        finally:
            with suppress(Exception):
                client.close(timeout=1)


def _client(address: str, end: float) -> Client:
    while True:
        try:
            # Short tries of our own: between those of one long try are pauses of minutes.
            return Client(address, timeout=ANSWER, set_as_default=False)
        except OSError:
            if time.monotonic() > end:
                raise NoAnswer from None


def check_workers(client: Client, passport: Passport) -> None:
    """Ask every worker whether it may take part.

    Raises:
        SchedulerLost: nobody answers.
        RuntimeError: one may not, or cannot even answer.
    """
    try:
        answers = client.run(_objection, passport, on_error="return")
    except UNANSWERED:
        raise SchedulerLost from None
    for worker, answer in answers.items():
        if isinstance(answer, OSError):
            continue  # it has gone meanwhile
        if isinstance(answer, Exception):
            raise RuntimeError(
                f"the worker {worker} has no leadline, or another version ({_shortly(answer)}); "
                "install the same versions on all machines"
            )
        if isinstance(answer, str) and answer:
            raise RuntimeError(f"the worker {worker} {answer}")


def _shortly(error: Exception) -> str:
    """Without the traceback that a worker may have sent."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _objection(passport: Passport) -> str:
    return passport.objection()


@contextmanager
def _silent_loggers() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
