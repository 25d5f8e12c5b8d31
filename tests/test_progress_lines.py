"""What is said of progress where nobody watches a bar."""

import pytest

from leadline.cli import progress as module


class Clock:
    """Seconds as the test has them."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_lines_tell_the_rate_of_late_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    with module.progress("pairs") as tell:
        clock.now = 1000.0  # planning is no part of the rate
        tell(1, 10_001)
        for done in range(2, 4001):
            clock.now += 0.5
            tell(done, 10_001)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 of 10001 pairs"
    assert lines[1].startswith("62 of 10001 pairs, 2.00 pairs/s, 1:22:5")
    assert len(lines) == 66


def test_a_rate_forgets_what_was_long_ago(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    with module.progress("pairs") as tell:
        for done in range(1, 1001):
            clock.now += 0.1 if done <= 100 else 10.0
            tell(done, 2000)
    assert "998 of 2000 pairs, 0.10 pairs/s, 2:47:00 left" in capsys.readouterr().err
