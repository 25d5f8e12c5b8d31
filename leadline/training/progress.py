"""What a training run says while it runs: images per second, and who waits for whom."""

import time
from typing import Any

import lightning.pytorch as pl

WINDOW = 20
"""Steps over which speed and shares are averaged."""


class Throughput(pl.Callback):
    """Logs images per second, and the share of the time that was spent waiting for the loader.

    A share near 0 says that the network is the bottleneck; near 1, that more workers, JPEG or the
    resized cache would pay.
    """

    def __init__(self) -> None:
        self._mark = 0.0
        self._waited = 0.0
        self._worked = 0.0
        self._images = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._waited = self._worked = 0.0
        self._images = 0
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_index: int
    ) -> None:
        now = time.perf_counter()
        self._waited += now - self._mark
        self._mark = now

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_index: int,
    ) -> None:
        now = time.perf_counter()
        self._worked += now - self._mark
        self._mark = now
        self._images += len(batch) * trainer.world_size
        if (batch_index + 1) % WINDOW == 0:
            total = self._waited + self._worked
            module.log("images_per_second", self._images / total, prog_bar=True)
            module.log("loader_share", self._waited / total, prog_bar=True)
            self._waited = self._worked = 0.0
            self._images = 0
