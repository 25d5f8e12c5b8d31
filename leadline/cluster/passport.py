"""What a worker elsewhere must have in common with this process: the programs, and the files."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numba
import numpy as np
import PIL

import leadline
from leadline.files import file_state

_PACKAGE = Path(leadline.__file__).parent


@dataclass(frozen=True)
class Passport:
    """Programs by name and version, a folder, and files within reach as `file_state` has them."""

    programs: Mapping[str, str]
    folder: Path
    files: Mapping[Path, tuple[int, int]]

    @classmethod
    def of_here(cls, folder: Path, files: Iterable[Path] = ()) -> "Passport":
        """That of this process; all paths are absolute."""
        return cls(_programs(), folder, {path: file_state(path) for path in files})

    def objection(self) -> str:
        """Why this process may not take part, to be read after its name; nothing if it may."""
        own = _programs()
        for name, version in self.programs.items():
            if own[name] != version:
                return (
                    f"has {name} {own[name]}, the command {version}; install the same versions on "
                    "all machines"
                )
        if not self.folder.is_dir():
            return self._unseen(self.folder)
        for path, state in self.files.items():
            try:
                here = file_state(path)
            except OSError:
                return self._unseen(path)
            if here != state:
                return f"sees another file at {path}; all machines must see one shared file system"
        return ""

    def _unseen(self, path: Path) -> str:
        return (
            f"does not see {path}; all machines must see the folders of images and hints at the "
            "same paths, on a shared file system"
        )


@cache
def _programs() -> dict[str, str]:
    """All that decides which bytes come of an image."""
    return {
        "leadline": f"{leadline.__version__} (code {_digest()})",
        "numba": numba.__version__,
        "numpy": np.__version__,
        "OpenCV": cv2.__version__,
        "Pillow": PIL.__version__,
    }


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(_PACKAGE)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]
