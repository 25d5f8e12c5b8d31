"""Work shared among processes: results as they come, and no process left behind."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import wait
from typing import Generic, Protocol, TypeVar, runtime_checkable

import cv2

from leadline.memory import keep_freed_memory

MOST_ON_WINDOWS = 61
"""Processes that a pool can wait for there."""
IN_HAND = 4
"""Items a process that are handed out at a time: it need not wait, and a million wait elsewhere."""
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Work(Generic[Item, Result]):
    """What is to be done of each item, and how to speak of it where many can see it."""

    do: Callable[[Item], Result]
    label: str
    """In one word, for a dashboard."""
    name: Callable[[Item], str]
    killed: Callable[[Item], Result]
    """What an item comes to that ends every process which takes it."""


@runtime_checkable
class Crew(Protocol):
    """Processes somewhere: give them work on items, and results come as they are done."""

    def __call__(self, work: Work[Item, Result], items: Sequence[Item]) -> Iterator[Result]:
        """One result an item, in any order."""


def available_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, preload: str
) -> Iterator[Result]:
    """`function` of each item, as it is done, by `workers` processes with one thread each.

    One worker means this process. `preload` is the module that the work needs, imported once for
    all workers where the system can fork a server. When the caller stops early, or is interrupted,
    work under way is finished and the rest is dropped.

    Raises:
        RuntimeError: a worker was killed.
    """
    if workers == 1 or len(items) <= 1:
        yield from _in_this_process(function, items)
        return
    context = multiprocessing.get_context(_start_method())
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload([preload])
    most = MOST_ON_WINDOWS if sys.platform == "win32" else workers
    pool = ProcessPoolExecutor(
        min(workers, len(items), most), mp_context=context, initializer=_prepare_worker
    )
    waiting = iter(items)
    try:
        under_way = {pool.submit(function, i) for i in islice(waiting, IN_HAND * workers)}
        while under_way:
            done, under_way = wait_for(under_way, return_when=FIRST_COMPLETED)
            under_way |= {pool.submit(function, item) for item in islice(waiting, len(done))}
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        raise RuntimeError(
            "a worker process was killed, perhaps for want of memory; what is written is whole: "
            "run the same command again, with fewer workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_this_process(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    keep_freed_memory()
    try:
        yield from map(function, items)
    finally:
        cv2.setNumThreads(threads)


def _start_method() -> str:
    # Never a plain fork: the caller may hold threads of torch or OpenCV, and locks with them.
    known = multiprocessing.get_all_start_methods()
    return "forkserver" if "forkserver" in known else "spawn"


def _prepare_worker() -> None:
    cv2.setNumThreads(1)
    keep_freed_memory()
    # Ctrl-C reaches every process of the terminal; the caller alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_caller, daemon=True).start()


def _end_with_caller() -> None:
    caller = multiprocessing.parent_process()
    if caller is not None:
        wait([caller.sentinel])
        os._exit(1)
