"""What a training run says while it runs: images per second, and who waits for whom."""

import time
from typing import Any, NamedTuple

import lightning.pytorch as pl
from lightning.pytorch.callbacks import RichProgressBar

WINDOW = 20
"""Steps over which speed and shares are averaged."""
LINE_SECONDS = 30.0
"""Between two lines within an epoch."""
EPOCH_SECONDS = 10.0
"""Epochs that end faster after the last line share one."""

SHOWN = (
    ("train/loss", "loss"),
    ("val/loss", "val loss"),
    ("val/abs_rel", "val abs_rel"),
    ("val/scale", "val scale"),
)
"""Figures of a line, and what they are called there."""


class Tally(NamedTuple):
    """Seconds spent waiting for the loader and working, and the images seen, up to now."""

    waited: float = 0.0
    worked: float = 0.0
    images: int = 0

    def since(self, other: "Tally") -> "Tally":
        """What has come since another moment."""
        return Tally(
            self.waited - other.waited, self.worked - other.worked, self.images - other.images
        )

    @property
    def images_per_second(self) -> float:
        """Of all processes together, as the clock of this one runs."""
        return self.images / max(self.waited + self.worked, 1e-9)

    @property
    def loader_share(self) -> float:
        """Of the time: near 0 the network is the bottleneck; near 1 more workers, JPEG or the
        resized cache would pay.
        """
        return self.waited / max(self.waited + self.worked, 1e-9)


class Throughput(pl.Callback):
    """Keeps the tally of a run, and logs images per second and the share of the loader."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._mark = 0.0
        self._logged = Tally()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # A run that resumes within an epoch does not start one.
        self._mark = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_index: int
    ) -> None:
        self.tally = self.tally._replace(waited=self.tally.waited + self._lap())

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_index: int,
    ) -> None:
        waited, worked, images = self.tally
        images += len(batch) * trainer.world_size
        self.tally = Tally(waited, worked + self._lap(), images)
        if (batch_index + 1) % WINDOW == 0:
            recent = self.tally.since(self._logged)
            module.log("images_per_second", recent.images_per_second, prog_bar=True)
            module.log("loader_share", recent.loader_share, prog_bar=True)
            self._logged = self.tally

    def _lap(self) -> float:
        now = time.perf_counter()
        lap, self._mark = now - self._mark, now
        return lap


class ProgressBar(RichProgressBar):
    """A bar for a terminal that looks at the figures every so many steps: for each of them a GPU
    has to be waited for.
    """

    def __init__(self, every_steps: int) -> None:
        super().__init__()
        self._every_steps = every_steps
        self._shown: dict[str, int | str | float | dict[str, float]] = {}

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        if not trainer.training or trainer.global_step % self._every_steps == 0:
            self._shown = super().get_metrics(trainer, pl_module)
        return self._shown


class ProgressLines(pl.Callback):
    """One short line per epoch, and more in a long one: for a log file, where no bar can be drawn.

    Args:
        throughput: of the same run, called before this.
    """

    def __init__(self, throughput: Throughput) -> None:
        self._throughput = throughput
        self._told = Tally()
        self._last = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if self._seconds() > LINE_SECONDS:
            self._tell(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        last = trainer.current_epoch + 1 == trainer.max_epochs
        if last or trainer.current_epoch == 0 or self._seconds() > EPOCH_SECONDS:
            self._tell(trainer)

    def _seconds(self) -> float:
        return time.monotonic() - self._last

    def _tell(self, trainer: pl.Trainer) -> None:
        if trainer.is_global_zero:
            recent = self._throughput.tally.since(self._told)
            print(
                f"{_place(trainer)}: {_figures(trainer)}, "
                f"{recent.images_per_second:.1f} images/s, loader {recent.loader_share:.0%}",
                flush=True,
            )
        self._told = self._throughput.tally
        self._last = time.monotonic()


def _place(trainer: pl.Trainer) -> str:
    """How far the run is, by what ends it: epochs, or steps."""
    epoch, step = f"epoch {trainer.current_epoch + 1}", f"step {trainer.global_step}"
    if 0 < trainer.max_steps <= trainer.estimated_stepping_batches:
        return f"{epoch}, {step}/{trainer.max_steps}"
    return f"{epoch}/{trainer.max_epochs}, {step}"


def _figures(trainer: pl.Trainer) -> str:
    known = trainer.callback_metrics
    return ", ".join(f"{text} {float(known[key]):.4f}" for key, text in SHOWN if key in known)
