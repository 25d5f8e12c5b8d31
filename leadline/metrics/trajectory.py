"""The published numbers of a path: how far where a camera was predicted to be is from where it was.

A path is camera_to_world of each frame in turn, whatever the world is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

CameraPath = Float64[np.ndarray, "_ 4 4"]
PathAlignment = Literal["none", "rigid", "similarity"]

SNIPPET = 5
"""Frames of the papers' short paths."""
SUBSEQUENCES = (100, 200, 300, 400, 500, 600, 700, 800)
"""Metres of the stretches on which KITTI judges drift,"""
EVERY = 10
"""and the frames from the start of one to that of the next."""
LEAST_WAY = 1e-9
"""Metres; a path that goes no farther has no scale."""


@dataclass(frozen=True)
class Drift:
    """What a path loses on its way [kitti]."""

    t_rel: float
    """Percent: metres off at the end of a stretch by its metres, in the mean over stretches."""
    r_rel: float
    """Degrees off there by 100 metres."""
    stretches: int


@dataclass(frozen=True)
class StepErrors:
    """Relative pose error from each frame to the next, as root mean squares."""

    metres: float
    degrees: float


def snippet_errors(
    truth: CameraPath, path: CameraPath, length: int = SNIPPET
) -> Float64[np.ndarray, "_"]:
    """The absolute trajectory error of each window of `length` frames, as in [sfmlearner].

    A window begins at each frame but the last; those at the end are shorter. Its positions, as the
    window's first camera sees them, are scaled by s = sum g p / sum p^2; the error is
    sqrt(sum |s p - g|^2) / N.

    Departure from what its name says: N divides the root and does not stand under it; so do all
    figures in the papers.

    Raises:
        ValueError: paths of different lengths, or of fewer than two frames.
    """
    _check(truth, path)
    errors = []
    for first in range(len(truth) - 1):
        window = slice(first, first + length)
        true, found = (_positions(poses[window]) for poses in (truth, path))
        squared = (found**2).sum()
        scale = (true * found).sum() / squared if squared > LEAST_WAY**2 else 1.0
        errors.append(np.sqrt(((scale * found - true) ** 2).sum()) / len(true))
    return np.array(errors)


@dataclass(frozen=True)
class Similarity:
    """x -> scale R x + t, which lays one path upon another."""

    scale: float
    rotation: Float64[np.ndarray, "3 3"]
    translation: Float64[np.ndarray, "3"]

    def moved(self, path: CameraPath) -> CameraPath:
        """The path laid upon the other; how it looks turns with it."""
        moved = path.copy()
        moved[:, :3, :3] = self.rotation @ path[:, :3, :3]
        moved[:, :3, 3] = self.scale * path[:, :3, 3] @ self.rotation.T + self.translation
        return moved


def aligned(truth: CameraPath, path: CameraPath, how: PathAlignment = "similarity") -> Similarity:
    """The least-squares similarity from the positions of `path` to those of `truth` [umeyama];
    `rigid` leaves the scale, `none` lays the first frame upon the first.

    Raises:
        ValueError: paths of different lengths, or of fewer than two frames.
    """
    _check(truth, path)
    if how == "none":
        first = truth[0] @ np.linalg.inv(path[0])
        return Similarity(1.0, first[:3, :3], first[:3, 3])
    true, found = truth[:, :3, 3], path[:, :3, 3]
    true_mean, found_mean = true.mean(0), found.mean(0)
    covariance = (true - true_mean).T @ (found - found_mean) / len(true)
    left, singular, right = np.linalg.svd(covariance)
    # A reflection would fit flat paths as well: it is no motion.
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ np.diag(signs) @ right
    variance = ((found - found_mean) ** 2).sum() / len(true)
    scale = 1.0
    if how == "similarity" and variance > LEAST_WAY**2:
        scale = float((singular * signs).sum() / variance)
    return Similarity(scale, rotation, true_mean - scale * rotation @ found_mean)


def path_error(truth: CameraPath, path: CameraPath, how: PathAlignment = "similarity") -> float:
    """The absolute trajectory error of a whole path: root mean square of the distances between
    positions once it is `aligned`.
    """
    moved = aligned(truth, path, how).moved(path)
    return float(np.sqrt(((moved[:, :3, 3] - truth[:, :3, 3]) ** 2).sum(1).mean()))


def step_errors(truth: CameraPath, path: CameraPath, scale: float = 1.0) -> StepErrors:
    """Relative pose error: E = (Q_i^-1 Q_i+1)^-1 P_i^-1 P_i+1 of true Q and predicted P, whose
    translations are multiplied by `scale`.

    Raises:
        ValueError: paths of different lengths, or of fewer than two frames.
    """
    _check(truth, path)
    errors = np.linalg.inv(_steps(truth)) @ _scaled(_steps(path), scale)
    metres, radians = np.linalg.norm(errors[:, :3, 3], axis=1), _angles(errors)
    return StepErrors(_root_mean_square(metres), float(np.degrees(_root_mean_square(radians))))


def drift(
    truth: CameraPath,
    path: CameraPath,
    scale: float = 1.0,
    lengths: Sequence[float] = SUBSEQUENCES,
    every: int = EVERY,
) -> Drift | None:
    """Mean error at the end of all stretches of so many metres of the true path, by the metres
    [kitti]; None where the path is shorter than the shortest.

    Raises:
        ValueError: paths of different lengths, or of fewer than two frames.
    """
    _check(truth, path)
    found = list(_stretches(truth, lengths, every))
    if not found:
        return None
    metres, radians = [], []
    for first, last, length in found:
        true = np.linalg.inv(truth[first]) @ truth[last]
        seen = _scaled((np.linalg.inv(path[first]) @ path[last])[None], scale)
        error = np.linalg.inv(seen) @ true
        metres.append(np.linalg.norm(error[0, :3, 3]) / length)
        radians.append(_angles(error)[0] / length)
    return Drift(
        t_rel=100 * float(np.mean(metres)),
        r_rel=100 * float(np.degrees(np.mean(radians))),
        stretches=len(found),
    )


def way(path: CameraPath) -> Float64[np.ndarray, "_"]:
    """Metres gone at each frame."""
    steps = np.linalg.norm(np.diff(path[:, :3, 3], axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _stretches(
    truth: CameraPath, lengths: Sequence[float], every: int
) -> Iterator[tuple[int, int, float]]:
    """First and last frame of each stretch, and its nominal length."""
    gone = way(truth)
    for first in range(0, len(truth), every):
        for length in lengths:
            last = int(np.searchsorted(gone, gone[first] + length, side="right"))
            if last < len(truth):
                yield first, last, length


def _check(truth: CameraPath, path: CameraPath) -> None:
    if len(truth) != len(path) or len(truth) < 2:
        raise ValueError(
            f"paths: expected two of the same length of 2 frames or more, got {len(truth)} and "
            f"{len(path)} frames"
        )


def _positions(path: CameraPath) -> Float64[np.ndarray, "_ 3"]:
    """As the first camera sees them."""
    positions: Float64[np.ndarray, "_ 3"] = (np.linalg.inv(path[0]) @ path)[:, :3, 3]
    return positions


def _steps(path: CameraPath) -> CameraPath:
    """Pose of each frame in that of the one before."""
    steps: CameraPath = np.linalg.inv(path[:-1]) @ path[1:]
    return steps


def _scaled(poses: CameraPath, scale: float) -> CameraPath:
    scaled = poses.copy()
    scaled[:, :3, 3] *= scale
    return scaled


def _angles(poses: CameraPath) -> Float64[np.ndarray, "_"]:
    """Radians by which they turn; by sine and cosine, for a small angle's cosine is 1."""
    rotation = poses[:, :3, :3]
    axis = np.stack(
        [rotation[:, k, j] - rotation[:, j, k] for j, k in ((1, 2), (2, 0), (0, 1))], axis=1
    )
    sine = np.linalg.norm(axis, axis=1) / 2
    cosine = (np.trace(rotation, axis1=1, axis2=2) - 1) / 2
    angles: Float64[np.ndarray, "_"] = np.arctan2(sine, cosine)
    return angles


def _root_mean_square(values: Float64[np.ndarray, "_"]) -> float:
    return float(np.sqrt((values**2).mean()))
