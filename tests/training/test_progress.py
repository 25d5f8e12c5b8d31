"""A bar that does not make a GPU wait at each step."""

from unittest.mock import Mock, PropertyMock

import lightning.pytorch as pl

from leadline.training.progress import ProgressBar


def test_figures_are_read_every_so_many_steps() -> None:
    trainer, module = Mock(spec=pl.Trainer), Mock(spec=pl.LightningModule)
    figures = PropertyMock(side_effect=lambda: {"loss": float(figures.call_count)})
    type(trainer).progress_bar_metrics = figures
    trainer.training, trainer.loggers = True, []
    bar, shown = ProgressBar(every_steps=10), []
    for step in range(25):
        trainer.global_step = step
        shown.append(bar.get_metrics(trainer, module).get("loss"))
    assert shown == [1.0] * 10 + [2.0] * 10 + [3.0] * 5
    # What validation found is shown at once.
    trainer.training = False
    assert bar.get_metrics(trainer, module).get("loss") == 4.0
