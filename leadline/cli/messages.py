"""An error as one line for a user."""

import re

from leadline.files import FULL_ERRORS

WORKER_TRACEBACK = "Original Traceback (most recent call last)"
"""In the message of an error that a worker of torch's loader sends."""
OUT_OF_MEMORY = "out of memory|can't allocate memory"


def one_line(error: BaseException) -> str:
    """What happened and what to change."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        if error.errno in FULL_ERRORS:
            return f"{where}the disk is full; free some space, then give the same command again"
        return f"{where}{error.strerror}; check the path and its rights"
    text = str(error)
    if WORKER_TRACEBACK in text:
        # A loader's worker sends its whole traceback; the last line is the error itself.
        text = text.strip().splitlines()[-1].partition(": ")[2]
    line = " ".join(text.split()) or type(error).__name__
    if isinstance(error, MemoryError) or re.search(OUT_OF_MEMORY, line):
        return f"{line}; use smaller batches or images, or fewer workers"
    return line
