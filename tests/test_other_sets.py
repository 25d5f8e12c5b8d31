"""DDAD, Cityscapes and RGB-D sequences from the command line: what is chosen there reaches the
model.
"""

from pathlib import Path

import numpy as np
import pytest
from commands import leadline
from data.cityscapes_trees import SEQUENCE, write_camera, write_frames, write_speed
from data.dgp_trees import write_list, write_scene
from data.rgbd_trees import write_intrinsics, write_sequence
from data.tiny_trees import write_image
from small_models import write_tiny_backbone

from leadline.inference.model_folder import CARD, read_config


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides under which a recipe for video trains in a second or two."""
    backbone = write_tiny_backbone(tmp_path_factory.mktemp("backbones") / "tiny")
    part = "--model.predictor.init_args"
    return [
        *(f"{part}.{name}.init_args.backbone={backbone}" for name in ("depth", "pose")),
        *("--weights", "none", "--data.height=32", "--data.width=64", "--data.batch_size=2"),
        *("--data.workers=0", "--run.epochs=1", "--run.loggers=[]"),
    ]


def test_a_camera_of_ddad_is_trained_by_its_own_lists(settings: list[str], tmp_path: Path) -> None:
    for scene in ("000001", "000002", "000151"):
        write_scene(tmp_path / "ddad", scene, cameras=("CAMERA_01", "CAMERA_05"))
    write_list(tmp_path / "ddad", train=["000001", "000002"], val=["000151", "000152"])
    words = ("train", "monodepth2_m", tmp_path / "ddad", "--out", tmp_path / "run", *settings)
    lists = ("--data.train_split=train", "--data.val_split=val")
    answer = leadline(*words, *lists, "--data.source.init_args.cameras=[CAMERA_05]")
    assert answer.code == 0, answer.err
    assert "1 of 4 scenes that ddad.json lists are not here, first: 000152" in answer.out
    assert "training: 4 of 8 frames can be used" in answer.out
    config = read_config(tmp_path / "run" / "model")
    assert config.data == (
        "ddad (DgpScenes); training on 4 frames of 2 sequences, 2 skipped, no frame at -1, "
        "2 skipped, no frame at +1 (split train); validation on 2 frames of 1 sequences, "
        "1 skipped, no frame at -1, 1 skipped, no frame at +1 (split val)"
    )
    assert not config.metric
    # Given again, the same command finds its run finished, lists and all.
    again = leadline(*words, *lists, "--data.source.init_args.cameras=[CAMERA_05]")
    assert again.code == 0, again.err


def test_what_is_cut_off_in_training_is_not_predicted(settings: list[str], tmp_path: Path) -> None:
    root = write_frames(tmp_path / "cityscapes", range(17, 22), kinds=["leftImg8bit"])
    write_camera(root)
    for number in range(17, 22):
        write_speed(root, number, 9.0)
    words = ("train", "monodepth2_m", root, "--out", tmp_path / "run", *settings)
    answer = leadline(*words, "--data.crop_bottom=0.25")
    assert answer.code == 0, answer.err
    said = f"no timestamps: taken for 17 frames a second in 1 of 1 sequences ({SEQUENCE})"
    assert said in answer.out
    model = tmp_path / "run" / "model"
    assert read_config(model).crop_bottom == 0.25
    assert "Input: RGB, trained at 64x32, the upper 75% of pictures" in (model / CARD).read_text()
    write_image(tmp_path / "in" / "a.png", (40, 64))
    answer = leadline(
        *(
            "predict",
            model,
            tmp_path / "in",
            "--out",
            tmp_path / "out",
            "--outputs",
            "npy",
            "colour",
        )
    )
    assert answer.code == 0, answer.err
    depth = np.load(tmp_path / "out" / "npy" / "a.npy")
    assert (depth[:30] > 0).all()
    assert (depth[30:] == 0).all()
    refused = leadline(*words, "--data.crop_bottom=0.2")
    assert "data.crop_bottom was 0.25, now 0.2" in refused.complaint


def test_rgbd_sequences_are_trained_on_by_their_poses_and_scored(
    settings: list[str], tmp_path: Path
) -> None:
    root = tmp_path / "kitchen"
    for sequence in ("seq-01", "seq-02"):
        write_sequence(root / sequence, range(0, 60, 10))
    write_intrinsics(root)
    (root / "seq-02" / "frame-000050.pose.txt").write_text("nan " * 16)
    (root / "val.txt").write_text("seq-02 10\nseq-02 20\n")
    (root / "train.txt").write_text("".join(f"seq-01 {number}\n" for number in range(0, 60, 10)))
    words = ("train", "monodepth2_m", root, "--out", tmp_path / "run", *settings)
    lists = (f"--data.train_split={root / 'train.txt'}", f"--data.val_split={root / 'val.txt'}")
    answer = leadline(*words, *lists, "--data.source.init_args.temporal_poses=true")
    assert answer.code == 0, answer.err
    for said in (
        "of every 10 frames one is here: neighbours are so far apart",
        f"1 poses unknown, NaN or infinite, first: {root / 'seq-02' / 'frame-000050.pose.txt'}",
        "training: 4 of 6 frames can be used",
    ):
        assert said in answer.out
    model, scores = tmp_path / "run" / "model", tmp_path / "scores"
    scored = leadline("evaluate", model, root, "--out", scores, "--protocol", "none")
    assert scored.code == 0, scored.err
    assert "depth images" in (scores / "report.html").read_text()
