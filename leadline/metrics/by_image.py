"""Accumulates the figures of images over batches and ranks."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from leadline.metrics.depth import DepthMetrics, mean_metrics


class DepthMetricsByImage(Metric):
    """Keeps one row of figures per image id, over batches and ranks, and means them.

    A distributed sampler pads its last round with repeated images; a repeated id is dropped here,
    so that the mean is over the data set and not over the sampler's schedule. Rows are kept in
    float32 unless `set_dtype` says otherwise.
    """

    full_state_update = False
    is_differentiable = False
    _codes: list[Tensor]
    _rows: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        # One axis and one dtype for both: what torchmetrics sends for a rank that saw no image at
        # all.
        self.add_state("_codes", default=[], dist_reduce_fx="cat")
        self.add_state("_rows", default=[], dist_reduce_fx="cat")

    def update(
        self, rows: Mapping[str, DepthMetrics], ratios: Mapping[str, float] | None = None
    ) -> None:
        """Add the figures of some images by their ids and, if known, the ratios median(truth) /
        median(prediction).
        """
        for image_id, row in rows.items():
            text = image_id.encode() + b"\0"
            self._codes.append(torch.tensor(list(text), dtype=self.dtype, device=self.device))
            values = (*row.as_row(), (ratios or {}).get(image_id, math.nan))
            self._rows.append(torch.tensor(values, dtype=self.dtype, device=self.device))

    def compute(self) -> dict[str, Tensor]:
        """The mean of every figure over the distinct images of all ranks.

        Raises:
            ValueError: no image was added.
        """
        mean = mean_metrics(row for row, _ in self._distinct().values())
        return {
            name: torch.tensor(value, dtype=self.dtype, device=self.device)
            for name, value in zip(mean.names(), mean.as_row(), strict=True)
        }

    def rows(self) -> dict[str, DepthMetrics]:
        """The figures of every distinct image of all ranks, in the order of their ids.

        Every rank must call it: it gathers.
        """
        with self.sync_context():
            return {image_id: row for image_id, (row, _) in self._distinct().items()}

    def ratios(self) -> list[float]:
        """The ratios of every distinct image of all ranks; every rank must call it."""
        with self.sync_context():
            return [ratio for _, ratio in self._distinct().values()]

    def _distinct(self) -> dict[str, tuple[DepthMetrics, float]]:
        if isinstance(self._codes, list) and not self._codes:
            return {}
        stream = bytes(dim_zero_cat(self._codes).to(torch.uint8).tolist())
        ids = [text.decode() for text in stream.split(b"\0")[:-1]]
        table = dim_zero_cat(self._rows).reshape(len(ids), len(DepthMetrics.names()) + 1).tolist()
        first_seen: dict[str, tuple[DepthMetrics, float]] = {}
        for image_id, (*row, ratio) in zip(ids, table, strict=True):
            first_seen.setdefault(image_id, (DepthMetrics.from_row(row), ratio))
        return dict(sorted(first_seen.items()))
