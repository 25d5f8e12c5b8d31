"""What the trainer's counters must say for a run to go on exactly where its resume point lies."""

from collections.abc import Mapping
from typing import Any, Literal

Moment = Literal["in_epoch", "trained", "validated"]
"""Between two steps of an epoch; after its last step, but before the end of its validation; after
that."""
COUNTS = ("ready", "started", "processed", "completed")
"""What the trainer counts of epochs and of batches, in the order in which it does."""

Loops = dict[str, Any]
"""The state of the trainer's fit loop, as it lies in a checkpoint."""


def moment_of(loops: Mapping[str, Any]) -> Moment:
    """Where a run was, for a resume point that does not say so itself."""
    return "trained" if loops["epoch_loop.batch_progress"]["is_last_batch"] else "in_epoch"


def set_counters(loops: Loops, moment: Moment) -> None:
    """Make the counters say where the run is.

    They are saved in the midst of a hook, half of them counted on already. The trainer guesses from
    the differences what was under way, and guesses wrong after the end of an epoch: it would repeat
    steps and forget validations.
    """
    epochs, batches = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    done = epochs["current"]["processed"]
    under_way = 0 if moment == "validated" else 1
    for counted in (epochs["total"], epochs["current"]):
        counted.update(ready=done + under_way, started=done + under_way)
        counted.update(processed=done, completed=done)
    if moment == "in_epoch":
        return
    for counted in (batches["total"], batches["current"]):
        counted["completed"] = counted["processed"]
    if moment == "validated":
        batches["current"].update(dict.fromkeys(COUNTS, 0))
        batches["is_last_batch"] = False
        return
    # As if the validation had been killed in its first batch: the trainer runs all of it.
    validated = loops["epoch_loop.val_loop.batch_progress"]
    for counted in (validated["total"], validated["current"]):
        counted.update(ready=1, started=1, processed=0, completed=0)
    validated["is_last_batch"] = False
