"""The newcomer's first command, at its tiny documented setting."""

import json
from pathlib import Path

import pytest

from leadline.cli import main


@pytest.mark.slow
def test_the_quick_demo_runs_the_whole_chain_and_again_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--quick", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "best constant" in said
    assert "dense: no crop, truth 0.001 to 80 m" in said
    assert (tmp_path / "demo.png").exists()
    assert (tmp_path / "hints" / "contact_sheet.png").exists()
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()
    page = (tmp_path / "evaluation" / "report.html").read_text()
    assert "F1 of depth edges" in page
    assert "Holes of infinite depth" in page
    assert "exact depth of a synthetic world" in page
    results = json.loads((tmp_path / "evaluation" / "results.json").read_text())
    assert results["metric"] is True
    finished = [tmp_path / "run" / name for name in ("model/model.safetensors", "resume.ckpt")]
    times = [path.stat().st_mtime_ns for path in finished]
    assert main(["demo", "--quick", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "0 stereo frames written" in said
    assert [path.stat().st_mtime_ns for path in finished] == times
