"""Random numbers of networks, as of dropout: counted like those of the data."""

from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

TRAINING, VALIDATION = 0, 1
"""Streams of which no two share a number."""


class CountedDraws(pl.Callback):
    """Starts the generators of torch anew for each batch, from (seed, stage, epoch, batch, rank).

    What a network draws in a batch then depends on nothing that was drawn before, neither by other
    batches nor by a loader that starts its workers: a resumed run draws the same.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_index: int
    ) -> None:
        self._start(trainer, TRAINING, batch_index)

    def on_validation_batch_start(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        batch: Any,
        batch_index: int,
        dataloader_index: int = 0,
    ) -> None:
        self._start(trainer, VALIDATION, batch_index)

    def _start(self, trainer: pl.Trainer, stage: int, batch_index: int) -> None:
        place = (self._seed, stage, trainer.current_epoch, batch_index, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
