import json

import numpy as np
import pytest

from leadline.evaluation.predictions import MANIFEST, Manifest, PredictionExport, open_predictions

IDS = ("day/drive 0000000001 l", "0002", "three")
DEPTH = np.array([[0.5, 3.123456], [79.9, 4000.0]], dtype=np.float32)


def exported(folder, format="npy", metric=True):
    export = PredictionExport.start(folder, IDS, model="net", metric=metric, format=format)
    for image_id in export.pending:
        export.write(image_id, DEPTH)
    return export


def test_npy_comes_back_exactly(tmp_path):
    exported(tmp_path)
    depths, manifest = open_predictions(tmp_path)
    assert set(depths.ids) == set(IDS)
    assert all((depths.read(image_id) == DEPTH).all() for image_id in IDS)
    assert manifest == Manifest(metric=True, model="net", format="npy", ids=IDS)
    assert json.loads((tmp_path / MANIFEST).read_text())["unit"] == "metre"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_png_rounds_and_ends(tmp_path):
    exported(tmp_path, "png")
    depths, _ = open_predictions(tmp_path)
    read = depths.read(IDS[0])
    assert read[0] == pytest.approx(DEPTH[0], abs=0.5 / 256)
    assert read[1, 1] == 65535 / 256


def test_an_export_goes_on_where_it_stopped(tmp_path):
    first = PredictionExport.start(tmp_path, IDS, model="net", metric=False)
    first.write(IDS[1], DEPTH)
    with pytest.raises(ValueError, match=r"unfinished export without 2 of them: 'day/.*', 'three'"):
        open_predictions(tmp_path)
    second = PredictionExport.start(tmp_path, IDS, model="net", metric=False)
    assert second.pending == (IDS[0], IDS[2])
    for image_id in second.pending:
        second.write(image_id, DEPTH)
    assert second.pending == ()
    _, manifest = open_predictions(tmp_path)
    assert manifest is not None
    assert not manifest.metric


def test_another_export_is_not_mixed_in(tmp_path):
    exported(tmp_path)
    with pytest.raises(ValueError, match="got one of model 'net', 3 images, npy; choose another"):
        PredictionExport.start(tmp_path, IDS, model="other net", metric=True)


def test_png_needs_metres(tmp_path):
    with pytest.raises(ValueError, match="expected metres for 16-bit PNG"):
        PredictionExport.start(tmp_path, IDS, model="net", metric=False, format="png")


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_depth_that_is_none_is_not_written(tmp_path, value):
    export = PredictionExport.start(tmp_path, IDS, model="net", metric=True)
    with pytest.raises(ValueError, match="positive depth for 'three'"):
        export.write("three", np.array([[1.0, value]]))
    with pytest.raises(ValueError, match="one of the 3 announced ids, got 'four'"):
        export.write("four", DEPTH)
    assert export.pending == IDS


def test_predictions_of_others_need_no_manifest(tmp_path):
    np.save(tmp_path / "0002.npy", DEPTH)
    depths, manifest = open_predictions(tmp_path)
    assert manifest is None
    assert depths.ids == ("0002",)


def test_a_wrong_unit_is_not_believed(tmp_path):
    exported(tmp_path, "png")
    with pytest.raises(ValueError, match=r"expected divide=256 as in .*, got 1000"):
        open_predictions(tmp_path, divide=1000)
    assert open_predictions(tmp_path, divide=256)[0].divide == 256


@pytest.mark.parametrize("text", ["{}", "[]", "not json"])
def test_a_broken_manifest_is_named(tmp_path, text):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ValueError, match=r"metric, model, format and ids in .*predictions\.json"):
        open_predictions(tmp_path)
