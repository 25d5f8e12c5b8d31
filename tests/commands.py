"""Runs `leadline` in this process and keeps what it says."""

from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO

from leadline.cli import main


@dataclass(frozen=True)
class Answer:
    """What one command came to."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line in which a command says what is wrong."""
        lines = [line for line in self.err.splitlines() if line.startswith("leadline: ")]
        return lines[-1].removeprefix("leadline: ") if lines else ""


def leadline(*words: object) -> Answer:
    """The command with these words; an exception that `main` lets through is not caught here."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())


Leadline = Callable[..., Answer]
Words = Sequence[object]
