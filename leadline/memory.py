"""Freed memory kept for the next step: training and matching ask for the same blocks each time."""

import ctypes
import platform

# malloc.h of the GNU C library; the largest threshold that it takes is 32 MB.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_THRESHOLD = 32 * 2**20
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell the C library to keep what is freed, where it is GNU's; whether it was told.

    By default it gives blocks of the size of an image back to the system, which clears every
    page of them before it hands them out again, in every step. The process keeps its peak of memory
    until it ends.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    told = (
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD),
        library.mallopt(_TRIM_THRESHOLD, _NEVER),
    )
    return all(told)
