"""The published numbers of a depth map; `by_image` accumulates them over images and ranks."""

from leadline.metrics.depth import (
    DepthMetrics,
    depth_metrics,
    least_abs_rel,
    mean_metrics,
    region_abs_rel,
)

__all__ = ["DepthMetrics", "depth_metrics", "least_abs_rel", "mean_metrics", "region_abs_rel"]
