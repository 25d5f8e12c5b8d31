from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.tiny_trees import (
    BASELINE,
    DATE,
    FOCAL,
    SEQUENCE,
    SIZE,
    cut_short,
    write_camera_file,
    write_drive,
    write_image,
    write_kitti,
)
from jsonargparse import ArgumentParser
from lightning.pytorch import Callback, LightningModule, Trainer

from leadline.data.confidence_files import confidence_path, write_confidence
from leadline.data.depth_files import write_disparity
from leadline.data.module import DepthData
from leadline.data.sources.folder import ImageFolder
from leadline.data.sources.kitti import KittiRaw
from leadline.offset import STEREO, TARGET, Offset
from leadline.types import Batch

SMALL: dict[str, Any] = {"height": 12, "width": 32, "batch_size": 2, "workers": 0}


def ready(source: KittiRaw | ImageFolder, **changes: Any) -> DepthData:
    data = DepthData(source, **(SMALL | changes))
    data.prepare_data()
    data.setup()
    return data


def test_data_are_described_by_names_and_counts(tmp_path: Path) -> None:
    root = write_kitti(tmp_path / "kitti", 10)
    (root / SEQUENCE / "image_03/data/0000000001.png").unlink()
    frames = [f"{SEQUENCE} {index} l\n" for index in range(10)]
    (tmp_path / "first.txt").write_text("".join(frames[:8]))
    data = ready(KittiRaw(root), train_split=tmp_path / "first.txt", val_share=0)
    assert data.description() == (
        "kitti (KittiRaw); training on 7 frames of 1 sequences, 1 skipped, no frame at stereo "
        "(split first.txt); validation on 0 frames of 0 sequences"
    )
    hints = tmp_path / "sgm"
    for index in range(10):
        path = hints / SEQUENCE / "image_02" / f"{index:010d}.png"
        write_disparity(path, np.ones(SIZE, np.float32), {})
    text = ready(KittiRaw(root), hints=hints, val_share=0.2).description()
    assert text.endswith("; hints of sgm")
    assert str(tmp_path) not in text


@pytest.fixture
def source(tmp_path: Path) -> KittiRaw:
    return KittiRaw(write_kitti(tmp_path / "kitti", 20))


def test_a_configuration_builds_it(tmp_path: Path) -> None:
    write_kitti(tmp_path)
    (tmp_path / "data.yaml").write_text(
        "data:\n"
        "  source:\n"
        "    class_path: leadline.data.sources.kitti.KittiRaw\n"
        f"    init_args: {{root: {tmp_path}, truth: exact}}\n"
        "  frames: [0, -1, 1, stereo]\n"
        "  height: 12\n"
        "  width: 32\n"
        "  flip: none\n"
    )
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(DepthData, "data")
    built = parser.parse_args([f"--config={tmp_path / 'data.yaml'}"])
    data = parser.instantiate(built).data
    assert data.offsets == (TARGET, Offset(-1), Offset(1), STEREO)
    assert data.source.truth == "exact"
    assert data.augmentation.flip == "none"


def test_batches_of_a_stereo_training(source: KittiRaw) -> None:
    data = ready(source)
    batches = list(data.train_dataloader())
    assert len(batches) == len(data.train_dataloader()) == len(data.train_selection.frames) // 2
    batch = batches[0]
    assert isinstance(batch, Batch)
    assert batch.size == (12, 32)
    assert tuple(batch.images) == (TARGET, STEREO)
    assert batch.unit == pytest.approx(BASELINE / 0.1)
    assert batch.depth is None
    names = [name for batch in batches for name in batch.ids]
    assert len(set(names)) == len(names)
    assert names != sorted(names)


def test_validation_is_a_block_apart_from_training(source: KittiRaw) -> None:
    data = ready(source, frames=[0, -1, 1], val_share=0.2)
    train = {frame.index for frame in data.train_selection.frames}
    val = {frame.index for frame in data.val_selection.frames}
    # Of 20 moments the last 4 are held out and 2 before them dropped; ends lack a neighbour.
    assert val == {16, 17, 18}
    assert train == set(range(1, 14))
    assert "4 left out beside frames held out for validation" in data.report()
    loader = data.val_dataloader()
    assert not isinstance(loader, list)
    first, second = ([name for batch in loader for name in batch.ids] for _ in range(2))
    assert first == second == [str(frame) for frame in data.val_selection.frames]
    assert all(batch.jitter is None for batch in loader)


def test_published_splits_stay_as_they_are(source: KittiRaw, tmp_path: Path) -> None:
    train, val = tmp_path / "train.txt", tmp_path / "val.txt"
    train.write_text(f"{SEQUENCE} 3 l\n{SEQUENCE} 5 r\n{SEQUENCE} 99 l\n")
    val.write_text(f"{SEQUENCE} 4 l\n")
    data = ready(source, train_split=train, val_split=val)
    assert [str(frame) for frame in data.train_selection.frames] == [
        f"{SEQUENCE} 3 l", f"{SEQUENCE} 5 r"
    ]  # fmt: skip
    assert data.train_selection.reasons() == {"no such image": 1}
    assert len(data.val_selection.frames) == 1


def test_frames_beside_a_given_validation_list_are_not_trained_on(
    source: KittiRaw, tmp_path: Path
) -> None:
    val = tmp_path / "val.txt"
    val.write_text(f"{SEQUENCE} 10 l\n{SEQUENCE} 10 r\n")
    data = ready(source, val_split=val)
    assert {frame.index for frame in data.train_selection.frames} == set(range(20)) - {9, 10, 11}


def test_colours_change_on_the_device_and_in_training_only(source: KittiRaw) -> None:
    data = ready(source, batch_size=16)
    batch = next(iter(data.train_dataloader()))
    after = data.on_after_batch_transfer(batch, 0)
    assert batch.jitter is not None
    assert not torch.equal(after.inputs[TARGET], after.images[TARGET])
    plain = ready(source, jitter=False, batch_size=16)
    batch = next(iter(plain.train_dataloader()))
    assert plain.on_after_batch_transfer(batch, 0).inputs is batch.images


def test_unit_without_a_pair_and_when_given(source: KittiRaw, tmp_path: Path) -> None:
    assert DepthData(source, frames=[0, -1, 1], **SMALL).unit == 1.0
    assert DepthData(source, unit=2.0, **SMALL).unit == 2.0
    write_image(tmp_path / "mono" / "0.png")
    write_camera_file(tmp_path / "mono", baseline=None)
    assert DepthData(ImageFolder(tmp_path / "mono"), **SMALL).unit == 1.0


def test_the_rig_is_summed_up(source: KittiRaw, tmp_path: Path) -> None:
    rig = DepthData(source, **SMALL).rig_summary()
    assert rig.focal == pytest.approx(FOCAL / SIZE[1])
    assert rig.baseline == pytest.approx(BASELINE)
    bare = DepthData(KittiRaw(write_drive(tmp_path / "bare").parents[1]), **SMALL)
    assert bare.rig_summary() == (None, None)


def write_poses(drive: Path, count: int) -> None:
    """A straight drive, a metre a frame."""
    rows = [f"1 0 0 0 0 1 0 0 0 0 1 {float(index)}" for index in range(count)]
    for camera in ("image_02", "image_03"):
        (drive / camera / "poses.txt").write_text("\n".join(rows) + "\n")


def test_depth_is_metric_where_a_pair_or_known_motion_gives_the_scale(tmp_path: Path) -> None:
    root = write_kitti(tmp_path, 5)
    video = {"frames": [0, -1, 1], "val_share": 0}
    write_poses(root / SEQUENCE, 5)

    def known() -> KittiRaw:
        return KittiRaw(root, temporal_poses=True)

    assert ready(known()).is_metric()
    assert not ready(KittiRaw(root), **video).is_metric()
    data = ready(known(), **video)
    assert data.is_metric()
    batch = next(iter(data.train_dataloader()))
    torch.testing.assert_close(batch.known_poses[Offset(1)][:, 2, 3], -torch.ones(2))
    # A second drive without poses would be trained on by predicted motion, of any scale.
    other = write_drive(root, 5, sequence=f"{DATE}/another")
    assert not ready(known(), **video).is_metric()
    write_poses(other, 5)
    assert ready(known(), **video).is_metric()


def test_hints_and_depth_reach_the_batch(source: KittiRaw, tmp_path: Path) -> None:
    hints = tmp_path / "hints"
    for frame in source.frames:
        write_disparity(hints / source.hint_path(frame), np.ones((4, 4), np.float32), {})
        path = source.root / SEQUENCE / f"proj_depth/exact/image_0{2 + frame.camera}"
        path.mkdir(parents=True, exist_ok=True)
        np.savez(path / f"{frame.index:010d}.npz", depth=np.full(SIZE, 7, np.float32))
    data = ready(source, hints=hints)
    batch = next(iter(data.train_dataloader()))
    assert batch.hint is not None
    assert batch.hint.shape == (2, 1, 12, 32)
    assert batch.depth is None
    loader = data.val_dataloader()
    assert not isinstance(loader, list)
    val = next(iter(loader))
    assert val.depth is not None
    assert (val.depth == 7).all()
    assert next(iter(ready(source, train_depth=True).train_dataloader())).depth is not None


@pytest.mark.parametrize("cached", [False, True])
def test_confidence_reaches_the_batch_if_asked_for(
    source: KittiRaw, tmp_path: Path, cached: bool
) -> None:
    hints = tmp_path / "hints"
    for frame in source.frames:
        path = source.hint_path(frame)
        disparity = np.full((12, 32), 2 + frame.index, np.float32)
        disparity[:, :5] = 0
        write_disparity(hints / path, disparity, {})
        write_confidence(
            confidence_path(hints, path), np.full((12, 32), 51 * (1 + frame.index % 5), np.uint8)
        )
    cache = {"cache": tmp_path / "cache"} if cached else {}
    data = ready(source, hints=hints, hint_confidence=True, flip="none", **cache)
    batches = [*data.train_dataloader(), *data.val_dataloader()]
    for batch in batches:
        assert (batch.hint_confidence[..., :5] == 0).all()
        for name, confidence in zip(batch.ids, batch.hint_confidence[..., 5:], strict=True):
            expected = 51 * (1 + int(name.split()[1]) % 5) / 255
            torch.testing.assert_close(confidence, torch.full_like(confidence, expected))
    plain = ready(source, hints=hints, flip="none", **cache)
    assert next(iter(plain.train_dataloader())).hint_confidence is None


def test_a_neighbour_may_be_absent(source: KittiRaw) -> None:
    data = ready(source, frames=[0, -1, 1, "stereo"], neighbours="optional", val_share=0)
    assert len(data.train_selection.frames) == 40
    assert data.val_dataloader() == []
    batches = list(data.train_dataloader())
    assert sum(int((~batch.available[Offset(-1)]).sum()) for batch in batches) == 2


def test_the_cache_is_filled_and_read(source: KittiRaw, tmp_path: Path, capsys: Any) -> None:
    cached = ready(source, cache=tmp_path / "cache", flip="none")
    assert "cache: 40 files resized, 0 were there already" in capsys.readouterr().out
    plain = ready(source, flip="none")
    for one, other in zip(cached.train_dataloader(), plain.train_dataloader(), strict=True):
        assert one.ids == other.ids
        assert torch.equal(one.images[STEREO], other.images[STEREO])


def test_what_was_skipped_is_printed_once(source: KittiRaw, capsys: Any) -> None:
    cut_short(source.root / SEQUENCE / "image_02/data/0000000003.png")
    data = ready(KittiRaw(source.root))
    data.setup()
    printed = capsys.readouterr().out
    assert printed.count("unreadable image") == 1
    assert "no depth (first) in 1 of 1 drives" in printed
    assert "unit: 5 m per network unit" in printed


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"height": 0}, ValueError, "expected positive height, width and batch_size"),
        ({"unit": -1.0}, ValueError, "unit: expected metres per network unit, got -1"),
        ({"hints": Path("absent")}, FileNotFoundError, "absent: expected a folder of hints"),
        ({"hint_confidence": True}, ValueError, "hint_confidence: expected hints to be confident"),
        ({"flip": "swap", "frames": [0, 1]}, ValueError, "flip 'swap' expects frames"),
        ({"flip": "swap", "train_depth": True}, ValueError, "flip 'swap' expects frames"),
        ({"frames": [0, "left"]}, ValueError, "frames: expected whole numbers or 'stereo'"),
        ({"val_share": 1.5}, ValueError, "expected 0"),
        ({"frames": [0, 30], "val_share": 0}, ValueError, r"got none \(40 no frame at \+30\)"),
        ({"frames": [0, 20]}, ValueError, r"got none \(36 too near to validation\)"),
    ],
)
def test_each_mistake_has_its_line(
    source: KittiRaw, changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        ready(source, **changes)


def test_a_batch_larger_than_the_data_is_an_error(source: KittiRaw) -> None:
    with pytest.raises(ValueError, match="expected at least batch_size x devices = 50 frames"):
        ready(source, batch_size=50).train_dataloader()


def test_frames_are_chosen_by_setup(source: KittiRaw) -> None:
    with pytest.raises(RuntimeError, match=r"setup\(\)"):
        DepthData(source, **SMALL).train_dataloader()


class Recorder(LightningModule):
    """Learns nothing and writes down what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[str, int]] = []

    def training_step(self, batch: Batch, index: int) -> torch.Tensor:
        assert batch.seeds is not None
        self.seen += zip(batch.ids, batch.seeds.tolist(), strict=True)
        return self.weight * batch.inputs[TARGET].mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


class SaveAfter(Callback):
    """Writes a checkpoint after a number of steps, or when the run ends."""

    def __init__(self, path: Path, step: int | None) -> None:
        self.path, self.step = path, step

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)

    def on_train_end(self, trainer: Trainer, *_: Any) -> None:
        if self.step is None:
            trainer.save_checkpoint(self.path)


def train(
    data: DepthData, path: Path, epochs: int, steps: int = -1, save: int | None = None,
    resume: Path | None = None,
) -> list[tuple[str, int]]:  # fmt: skip
    module = Recorder()
    Trainer(
        max_epochs=epochs,
        max_steps=steps,
        callbacks=[SaveAfter(path, save)],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        limit_val_batches=0,
    ).fit(module, datamodule=data, ckpt_path=resume)
    return module.seen


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("stop", "seen", "limit"),
    [
        ({"epochs": 9, "steps": 3, "save": 3}, 3, {"epochs": 9, "steps": 10}),
        ({"epochs": 9, "steps": 5, "save": 5}, 5, {"epochs": 9, "steps": 10}),
        ({"epochs": 2, "save": 7}, 7, {"epochs": 2}),
        ({"epochs": 1, "save": 5}, 5, {"epochs": 9, "steps": 10}),
        ({"epochs": 1}, 5, {"epochs": 2}),
    ],
)
def test_a_resumed_run_is_the_same_run(
    source: KittiRaw, tmp_path: Path, stop: dict[str, int], seen: int, limit: dict[str, int]
) -> None:
    def data() -> DepthData:
        return DepthData(source, **(SMALL | {"batch_size": 8, "val_share": 0}))

    whole = train(data(), tmp_path / "whole.ckpt", epochs=2)
    assert len(whole) == 2 * 40
    first = train(data(), tmp_path / "part.ckpt", **stop)
    rest = train(data(), tmp_path / "end.ckpt", resume=tmp_path / "part.ckpt", **limit)
    assert first[: seen * 8] + rest == whole
    assert DATE in whole[0][0]
