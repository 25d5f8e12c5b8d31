"""How far a verb has come, and how fast: a bar on a terminal, short lines elsewhere."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

SECONDS_BETWEEN_LINES = 30.0
LINES_OF_A_RATE = 10
"""A rate is that of so many lines: five minutes."""


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows progress when told (done, total): a bar on a terminal, else now and then a line."""
    if not sys.stderr.isatty():
        yield _progress_lines(what)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(what, total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bar.tasks[task].speed
            rate = f"{speed:.2f} {what}/s" if speed else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield show


def _progress_lines(what: str) -> Callable[[int, int], None]:
    last = time.monotonic()
    # The first word comes when the first piece is done: a rate counts from there.
    told: deque[tuple[float, int]] = deque(maxlen=LINES_OF_A_RATE + 1)

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if not told:
            told.append((now, done))
        if now - last > SECONDS_BETWEEN_LINES:
            print(f"{done} of {total} {what}{pace(now, done, total)}", file=sys.stderr, flush=True)
            told.append((now, done))
            last = now

    def pace(now: float, done: int, total: int) -> str:
        since, before = told[0]
        if now <= since or done <= before:
            return ""
        speed = (done - before) / (now - since)
        left = timedelta(seconds=round((total - done) / speed))
        return f", {speed:.2f} {what}/s, {left} left"

    return tell
