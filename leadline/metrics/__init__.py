"""The published numbers of a depth map; `by_image` accumulates them over images and ranks."""

from leadline.metrics.depth import (
    DepthMetrics,
    OfImage,
    depth_metrics,
    least_abs_rel,
    log_bias,
    mean_metrics,
    pooled_metrics,
    region_abs_rel,
)

__all__ = [
    "DepthMetrics",
    "OfImage",
    "depth_metrics",
    "least_abs_rel",
    "log_bias",
    "mean_metrics",
    "pooled_metrics",
    "region_abs_rel",
]
