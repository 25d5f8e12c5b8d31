"""Freed memory stays with the process."""

import platform
import subprocess
import sys

import pytest

# In a process of its own: the setting holds until the process ends.
PROGRAM = """
import ctypes
from leadline.memory import keep_freed_memory

class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]

library = ctypes.CDLL(None)
library.mallinfo2.restype = Mallinfo2
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]

def grown():
    before = library.mallinfo2()
    block = library.malloc(24 * 2**20)
    during = library.mallinfo2()
    library.free(block)
    after = library.mallinfo2()
    return during.hblkhd > before.hblkhd, after.arena > before.arena

print(*grown())
print(keep_freed_memory())
print(*grown())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library can be told")
def test_blocks_come_from_the_heap_and_stay_there() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    # Mapped by the system and gone when freed; then from the heap, which keeps its size.
    assert printed == ["True False", "True", "False True"]
