"""How a mistake is written down: a desk to make it on, the command, and what must be said."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from commands import Words
from small_models import linked_copy, write_model, write_tiny_backbone
from worlds import hints_of, write_stereo_folder

SIZE = (32, 64)


@dataclass
class Desk:
    """A folder of one's own for each mistake, and a model that all of them share."""

    root: Path
    model: Path
    backbone: Path

    @classmethod
    def shared(cls, root: Path) -> "Desk":
        """Where other desks come from."""
        backbone = write_tiny_backbone(root / "backbone")
        return cls(root, write_model(root / "model", str(backbone)), backbone)

    def own(self, root: Path) -> "Desk":
        """An empty one."""
        root.mkdir(parents=True)
        return Desk(root, linked_copy(self.model, root / "model"), self.backbone)

    def rig(self, count: int = 4) -> Path:
        """Stereo pairs with a camera file, and good hints beside them."""
        return write_stereo_folder(self.root / "rig", count, SIZE)

    def settings(self) -> Words:
        """Under which a training step takes a moment."""
        return (
            f"--model.predictor.init_args.depth.init_args.backbone={self.backbone}",
            *("--data.height=32", "--data.width=64", "--data.batch_size=2", "--data.workers=0"),
            *("--run.epochs=1", "--run.loggers=[]"),
        )

    def train(
        self,
        *more: object,
        rig: Path | None = None,
        recipe: str = "demo",
        hints: Path | None = None,
        out: Path | None = None,
    ) -> Words:
        """A training that is right but for what is given."""
        rig = rig or self.rig()
        folders = ("--hints", hints or hints_of(rig), "--out", out or self.root / "run")
        return ("train", recipe, rig, *folders, *self.settings(), *more)

    def predict(self, *more: object) -> Words:
        """A prediction that is right but for `more`."""
        return ("predict", self.model, self.rig() / "left", "--out", self.root / "depth", *more)


@dataclass(frozen=True)
class WrongInput:
    """A mistake, the command in which it shows, and the words that must be in the answer."""

    what: str
    words: Callable[[Desk], Words]
    says: tuple[str, ...]
    code: int = 2
    before: Callable[[Desk], Words | None] = lambda desk: None
    """A command that goes well before."""


CASES: list[WrongInput] = []


def mistake(
    what: str,
    *says: str,
    code: int = 2,
    before: Callable[[Desk], Words | None] = lambda desk: None,
) -> Callable[[Callable[[Desk], Words]], Callable[[Desk], Words]]:
    """Add a case: the function lays out what is wrong, and returns the command."""

    def add(words: Callable[[Desk], Words]) -> Callable[[Desk], Words]:
        CASES.append(WrongInput(what, words, says, code, before))
        return words

    return add


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[bool]:
    """A file system of its own mounted at `folder`; False where this user may not mount."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
