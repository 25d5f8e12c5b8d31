"""What is said to a newcomer who does something wrong, as a table.

usage: python benchmarks/wrong_inputs.py > benchmarks/wrong_inputs.md

The mistakes are those of `tests/wrong_inputs.py`; `tests/test_wrong_inputs.py` asserts that each
costs one line, no traceback, no half-written file, and nothing that was there before.
"""

import re
import sys
import tempfile
from pathlib import Path

import huggingface_hub
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from commands import leadline
from wrong_inputs import CASES, Desk, WrongInput, small_disk

HEAD = """# What is said when something is wrong

Written by `python benchmarks/wrong_inputs.py`: each mistake is made and the command is run.
Settings that only keep the example small, and the folder in which it lies, are left out. Exit code
0 means that all was done but for what is named, 1 that the rest was, 2 that nothing was.

| mistake | command | code | what is said |
|---|---|---:|---|"""


def shortened(words: tuple[object, ...], desk: Desk) -> str:
    """The command as a person would type it."""
    small = set(map(str, desk.settings()))
    spoken = [str(word) for word in words if str(word) not in small]
    return without_root(" ".join(["leadline", *spoken]), desk)


def without_root(text: str, desk: Desk) -> str:
    """The text without the folders of this machine."""
    parent = str(desk.backbone.parent)
    return text.replace(f"{desk.root}/", "").replace(str(desk.root), ".").replace(parent, "...")


def cell(text: str) -> str:
    """Text that does not end a table's cell."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def row(what: str, words: tuple[object, ...], desk: Desk) -> str:
    """Make the mistake and write down the answer."""
    answer = leadline(*words)
    said = without_root(answer.complaint, desk)
    command = shortened(words, desk)
    return f"| {cell(what)} | `{cell(command)}` | {answer.code} | {cell(said)} |"


def made(case: WrongInput, desk: Desk) -> str:
    """The row of a case."""
    first = case.before(desk)
    if first is not None:
        leadline(*first)
    return row(case.what, tuple(case.words(desk)), desk)


def main() -> None:
    torch.set_num_threads(1)
    huggingface_hub.constants.HF_HUB_OFFLINE = True
    print(HEAD)
    with tempfile.TemporaryDirectory() as name:
        shared = Desk.shared(Path(name) / "shared")
        for number, case in enumerate(CASES):
            print(made(case, shared.own(Path(name) / str(number))), flush=True)
        desk = shared.own(Path(name) / "full")
        with small_disk(desk.root / "disk", 200) as mounted:
            if mounted:
                words = tuple(desk.train(out=desk.root / "disk" / "run"))
                print(row("a full disk", words, desk))


if __name__ == "__main__":
    main()
