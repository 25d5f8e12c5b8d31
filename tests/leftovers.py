"""What a process leaves behind that is killed while it writes a file."""

import signal
import subprocess
import sys
from pathlib import Path

WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from leadline.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def leave_half_a_file(path: Path) -> Path:
    """Begin to write `path` in a process of its own and kill it; returns what is left."""
    before = set(path.parent.iterdir()) if path.parent.is_dir() else set()
    done = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path)])
    assert done.returncode == -signal.SIGKILL
    (left,) = set(path.parent.iterdir()) - before
    return left
