"""What watches a run goes on with it when it resumes, and never with another one."""

from pathlib import Path
from unittest.mock import Mock

import pytest
from lightning.pytorch import loggers
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from leadline.training.run import _logger


def test_runs_of_one_name_in_two_folders_are_two_runs_of_wandb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = Mock(return_value=Mock(spec=loggers.Logger))
    monkeypatch.setattr(loggers, "WandbLogger", wandb)
    for folder, step in (("seed0", 0), ("seed1", 0), ("seed0", 7), ("seed1", 7), ("seed1", 0)):
        _logger("wandb", tmp_path / folder / "run", step)
    first, second, *resumed, anew = [call.kwargs["id"] for call in wandb.call_args_list]
    assert resumed == [first, second]
    assert len({first, second, anew}) == 3
    assert {call.kwargs["name"] for call in wandb.call_args_list} == {"run"}


def test_tensorboard_forgets_the_steps_that_are_done_again(tmp_path: Path) -> None:
    for begin, end in ((0, 6), (3, 5)):
        logger = _logger("tensorboard", tmp_path, begin)
        for step in range(begin, end):
            logger.log_metrics({"loss": float(step)}, step)
        logger.finalize("killed")
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [0, 1, 2, 3, 4]
