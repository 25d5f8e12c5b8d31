"""How many processes share the work."""

import sys

import pytest

from leadline import workers


class Refused(Exception):
    """Carries how many processes were asked for."""


def asked_for(monkeypatch: pytest.MonkeyPatch, platform: str, count: int, items: int) -> int:
    def refuse(number: int, **_: object) -> None:
        raise Refused(number)

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(workers, "ProcessPoolExecutor", refuse)
    with pytest.raises(Refused) as refused:
        list(workers.in_processes(abs, range(items), count, "leadline"))
    return int(refused.value.args[0])


def test_windows_waits_for_61_processes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_for(monkeypatch, "win32", 96, 1000) == 61
    assert asked_for(monkeypatch, "win32", 4, 1000) == 4
    assert asked_for(monkeypatch, "linux", 96, 1000) == 96
    assert asked_for(monkeypatch, "linux", 96, 5) == 5
