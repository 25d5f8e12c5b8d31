"""Where pictures tell nothing, refined depth stays what the trained network said."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import PAIRS, predictor_config, write_model, write_tiny_backbone
from torch import Tensor, nn
from worlds import write_stereo_folder

from leadline.data.collate import collate
from leadline.data.sources.folder import ImageFolder
from leadline.inference.depth_prior import DepthPrior, has_partner
from leadline.inference.frames import frame_reader
from leadline.inference.refine import RefineSettings
from leadline.inference.refine_frames import FrameRefinement
from leadline.offset import STEREO, TARGET, Offset
from leadline.types import Batch, Predictions, Sample

BEFORE = Offset(time=-1)
BESIDE_BEFORE = Offset(time=-1, camera=1)
SETTINGS = RefineSettings(iterations=5, learning_rate=3e-3)


def batch_of(*sources: tuple[Offset, ...]) -> Batch:
    """One sample for each argument, with the sources that it names."""
    picture = torch.zeros(3, 4, 6, dtype=torch.uint8)
    samples = [
        Sample(str(k), dict.fromkeys((TARGET, *own), picture)) for k, own in enumerate(sources)
    ]
    offsets = (TARGET, *dict.fromkeys(offset for own in sources for offset in own))
    return collate(samples, offsets, 1.0)


def test_only_a_picture_of_the_same_time_is_a_partner() -> None:
    batch = batch_of((BEFORE,), (BEFORE, STEREO), (STEREO,), (BESIDE_BEFORE,), ())
    assert has_partner(batch).tolist() == [False, True, True, False, False]


def test_departure_is_the_mean_of_the_logarithms_of_frames_without_partner() -> None:
    batch = batch_of((BEFORE,), (BEFORE, STEREO))
    trained = {0: torch.full((2, 1, 4, 6), 5.0), 1: torch.full((2, 1, 2, 3), 5.0)}
    depth = {s: d.clone() for s, d in trained.items()}
    assert DepthPrior.departure(batch, depth, trained) == 0
    depth[0][0, :, :2] *= 3
    depth[1][0] /= 2
    depth[0][1] *= 100
    expected = (np.log(3) / 2 + np.log(2)) / 2 / 2
    assert DepthPrior.departure(batch, depth, trained).item() == pytest.approx(expected)


class _Answers(nn.Module):
    """Says that depth is what its one weight is, and notes what it was shown."""

    def __init__(self, looks_at_sources: bool) -> None:
        super().__init__()
        self.metres = nn.Parameter(torch.tensor(7.0))
        self.looks_at_sources = looks_at_sources

    def forward(self, batch: Batch) -> Predictions:
        assert bool(batch.sources) == self.looks_at_sources
        return Predictions(depth={TARGET: {0: self.metres.expand(len(batch), 1, 4, 6)}})


@pytest.mark.parametrize("looks", [False, True])
def test_a_prior_stays_whatever_becomes_of_the_network(looks: bool) -> None:
    """It is shown sources only where its kind looks at them."""
    network = _Answers(looks)
    prior, batch = DepthPrior(network), batch_of((BEFORE,))
    with torch.no_grad():
        network.metres.fill_(1.0)
    depth: Tensor = prior.depth(batch)[0]
    assert depth.unique().tolist() == [7.0]
    assert not depth.requires_grad


@pytest.fixture
def video(tmp_path: Path) -> tuple[Path, Path]:
    """A model of video, and a sequence without partners."""
    world = write_stereo_folder(tmp_path / "world", count=3)
    for path in (world / "right").iterdir():
        path.unlink()
    (world / "right").rmdir()
    predictor = predictor_config(str(write_tiny_backbone(tmp_path / "tiny")))
    predictor["init_args"]["pose"] = {"class_path": "leadline.networks.pose.PoseCNN"}  # type: ignore[index]
    training = dict(PAIRS) | {"frames": [0, -1, 1]}
    return write_model(tmp_path / "model", training=training, predictor=predictor), world


def changes(model: Path, world: Path, settings: RefineSettings) -> float:
    """How far depth is refined, in the mean over frames and pixels."""
    source = ImageFolder(world)
    reader = frame_reader(model, source, source.frames, device="cpu")
    plain = {frame: reader.depth(frame, read(reader, frame)) for frame in source.frames}
    refined = dict(FrameRefinement(reader, settings).predicted(source.frames, {}))
    assert set(refined) == set(plain)
    return float(np.mean([np.abs(np.log(refined[f] / plain[f])).mean() for f in plain]))


def read(reader: Any, frame: Any) -> Sample:
    sample = reader.read(frame, {})
    assert sample is not None
    return sample  # type: ignore[no-any-return]


@pytest.mark.parametrize("per", ["sample", "sequence"])
def test_video_is_held_to_what_the_trained_network_said(video: tuple[Path, Path], per: Any) -> None:
    free, held, tied = (
        changes(*video, replace(SETTINGS, per=per, prior=prior)) for prior in (0.0, 1.0, 1e4)
    )
    assert held < 0.8 * free
    assert tied < 0.2 * free


def test_pairs_are_not_held(small: Path, world: Path) -> None:
    free, held = (changes(small, world, replace(SETTINGS, prior=prior)) for prior in (0.0, 1e4))
    assert free == held > 0
