"""What runs on a worker of a cluster: some items in a row, and whether it may."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import cv2
from distributed import get_worker

from leadline.cluster.passport import Passport
from leadline.memory import keep_freed_memory
from leadline.workers import Item, Result


@dataclass(frozen=True)
class Unit(Generic[Item]):
    """Items that one worker does one after the other."""

    items: tuple[Item, ...]
    alone: bool = False
    """Whether nothing else is under way, so that what kills a worker is this."""


@dataclass(frozen=True)
class Raised:
    """In place of a result: what an item raised. Errors that come otherwise are of the cluster."""

    error: Exception


def do_unit(
    do: Callable[[Item], Result], unit: Unit[Item], passport: Passport
) -> list[Result | Raised]:
    """The result of each item, up to the first that raises."""
    objection = passport.objection()
    if objection:
        return [Raised(RuntimeError(f"the worker {get_worker().address} {objection}"))]
    cv2.setNumThreads(1)
    keep_freed_memory()
    done: list[Result | Raised] = []
    for item in unit.items:
        try:
            done.append(do(item))
        except Exception as error:
            return [*done, Raised(error)]
    return done
