"""Files that are written whole or not at all."""

import errno
import hashlib
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

FULL_DISK = 1 << 20
"""Bytes free below which a failed write is put down to a full disk, whatever the writer said."""
SECONDS_AT_WORK = 3600.0
"""A temporary file that was not written to for so long is nobody's work any more."""
FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)
"""What writing to a full disk, or beyond one's share of it, is answered with."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds to wait for room on a full disk, try by try: half a minute in all."""
Made = TypeVar("Made")
_TEMPORARY = re.compile(r"\..+\.([0-9a-f]{8})-(\d{1,9})-[0-9a-f]{12}\.part(\.[^.]+)?")
"""Names by `temporary_beside`: where, by which process, and a random word."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`; renamed onto it when the block ends well, removed otherwise.

    The temporary name keeps the suffix, for writers that choose the format by it, and starts with
    a dot, so that a listing made while it is there does not take it for a finished file. It names
    the process, so that `remove_leftovers` can tell whether somebody is at work on it.

    Raises:
        OSError: the folder cannot be written, or the disk is full; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    except Exception as error:
        if shutil.disk_usage(path.parent).free < FULL_DISK:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def once_there_is_room(make: Callable[[], Made]) -> Made:
    """`make()`, tried again for half a minute (`PAUSES`) as long as the disk is full.

    Raises:
        OSError: the disk stayed full.
    """
    for pause in PAUSES:
        try:
            return make()
        except OSError as error:
            if error.errno not in FULL_ERRORS:
                raise
        time.sleep(pause)
    return make()


def temporary_beside(path: Path) -> Path:
    """A hidden name in the folder of `path` that nobody else has, and that tells whose it is."""
    writer = f"{_place()}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
    return path.with_name(f".{path.stem}.{writer}.part{path.suffix}")


def file_state(path: Path) -> tuple[int, int]:
    """Size in bytes and time of change in nanoseconds: another state is another content.

    Raises:
        FileNotFoundError: there is no such file.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def remove_leftovers(folders: Iterable[Path]) -> int:
    """Remove the temporary files that killed processes left in `folders` themselves, and count
    them.

    Only what bears a name by `temporary_beside`, and of that only what nobody is at work on: its
    process is gone, or, where that cannot be told as on another machine, it is an hour old.
    """
    removed = 0
    for folder in set(folders):
        for name in os.listdir(folder) if folder.is_dir() else ():
            found = _TEMPORARY.fullmatch(name)
            # Another process may be tidying up as well, or the file may be another user's.
            with suppress(OSError):
                if found is not None and _is_left_over(folder / name, found[1], int(found[2])):
                    (folder / name).unlink()
                    removed += 1
    return removed


def _is_left_over(path: Path, place: str, process: int) -> bool:
    if place == _place() and not _is_running(process):
        return True
    return time.time() - path.stat().st_mtime > SECONDS_AT_WORK


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere the question itself would end the process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@cache
def _place() -> str:
    """Where a process number means the same process: this machine since its start, and this
    container.
    """
    marks = [platform.node()]
    with suppress(OSError):
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with suppress(OSError):
        marks.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:8]
