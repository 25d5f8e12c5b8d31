import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from commands import leadline
from rigs import SIZE, moved, write_rig

from leadline.data.depth_files import read_disparity, read_settings
from leadline.data.sources.folder import ImageFolder
from leadline.hints import report
from leadline.hints.generate import generate_hints
from leadline.hints.jobs import source_jobs
from leadline.hints.match import MatcherSetting
from leadline.hints.method import HintMethod
from leadline.hints.metres import metre_pixels
from leadline.hints.pair import HintJob
from leadline.hints.rectification import check_rig
from leadline.hints.report import hint_page, write_report
from leadline.hints.statistics import HintStatistics

METHOD = HintMethod("valid", (MatcherSetting(3, 32, grey=True),), size=SIZE)
PAIRS = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[HintJob], Path]:
    root = write_rig(tmp_path_factory.mktemp("world") / "rig", PAIRS)
    jobs = list(source_jobs(ImageFolder(root)).jobs)
    generate_hints(jobs, root.parent / "hints", METHOD, workers=1)
    return jobs, root.parent / "hints"


def test_statistics_are_those_of_the_files(made: tuple[list[HintJob], Path]) -> None:
    jobs, folder = made
    statistics = HintStatistics.of(jobs, folder, METHOD)
    paths = [folder / view for job in jobs for view in job.hints]
    hints = [read_disparity(path) for path in paths]
    found = np.concatenate([hint[hint > 0] for hint in hints])
    assert (len(statistics.views), statistics.missing, statistics.read) == (2 * PAIRS, (), 6)
    assert statistics.searched == 32
    for key, mean in (
        ("coverage", statistics.mean.coverage),
        ("photometric error", statistics.mean.photometric_error),
        ("beats identity", statistics.mean.beats_identity),
    ):
        assert mean == pytest.approx(np.mean([float(read_settings(p)[key]) for p in paths]))
    assert statistics.mean.coverage == pytest.approx(
        np.mean([hint > 0 for hint in hints]), abs=1e-4
    )
    assert statistics.share_within(8, 16) == pytest.approx(np.mean((found >= 8) & (found < 16)))
    assert statistics.upper_share == pytest.approx(np.mean(found >= 0.95 * 32), abs=1e-9)
    assert statistics.percentile(0.5) == pytest.approx(np.median(found), abs=1 / 16)
    for side, start in (("left", 0), ("right", 1)):
        views = [read_disparity(folder / job.hints[start]) > 0 for job in jobs]
        assert statistics.coverage[side] == pytest.approx(np.mean(views, axis=0))
    assert (
        statistics.coverage["left"][:, :16].mean()
        < 0.1
        < 0.9
        < (statistics.coverage["left"][:, -16:].mean())
    )


def test_the_page_tells_the_figures_and_asks_for_nothing(
    made: tuple[list[HintJob], Path],
) -> None:
    jobs, folder = made
    check = check_rig(jobs, SIZE)
    metres = metre_pixels(ImageFolder(folder.parent / "rig"), SIZE[1])
    assert metres is not None
    assert metres.least == pytest.approx(240 * 0.5)
    path = write_report(jobs, folder, METHOD, check, metres)
    page = path.read_text()
    statistics = HintStatistics.of(jobs, folder, METHOD)
    first = re.search(r'<section id="rig"><h2>Rig</h2>\s*<p class="good">(.*?)</p>', page)
    assert first is not None
    assert first[1].startswith("The rig is rectified: rows agree to 0.0")
    for expected in (
        f"{statistics.mean.coverage:.1%} of the pixels have a hint",
        f"{statistics.mean.beats_identity:.1%} of the hints explain",
        "up to 32 px (3.8 m)",
        f"left views: {statistics.coverage['left'].mean():.1%} of the pixels",
        "Least better than identity: ",
        "1: left/000000.png",
        "3x32,grey 100%",
    ):
        assert expected in page, expected
    assert page.count("<figure>") == 2 + 3 * 2 * PAIRS  # coverage maps, and every view once
    assert not re.search(r"(?:https?:)?//[a-z]", re.sub(r"base64,[^\"]*", "", page))


def test_what_is_missing_is_told_and_nothing_at_all_is_refused(
    made: tuple[list[HintJob], Path], tmp_path: Path
) -> None:
    jobs, folder = made
    more = [*jobs, replace(jobs[0], left_hint=PurePosixPath("left/none.png"), right_hint=None)]
    check = check_rig(jobs, SIZE)
    statistics = HintStatistics.of(more, folder, METHOD)
    page = hint_page(statistics, folder, METHOD, check, None)
    assert "1 views, first left/none.png" in page
    assert "unknown: no focal length and baseline" in page
    with pytest.raises(ValueError, match="no hint to report on"):
        write_report(jobs, tmp_path, METHOD, check)


def test_a_range_that_is_too_small_is_doubted(made: tuple[list[HintJob], Path]) -> None:
    jobs, folder = made
    statistics = HintStatistics.of(jobs, folder, METHOD)
    check = check_rig(jobs, SIZE)
    assert "The range holds what is there" in hint_page(statistics, folder, METHOD, check, None)
    counts = np.zeros_like(statistics.counts)
    counts[[100, -2]] = 98, 2
    clipped = replace(statistics, counts=counts)
    page = hint_page(clipped, folder, METHOD, check, None)
    assert "The range looks too small: 2.0% of the pixels" in page


def test_the_command_reports_also_on_what_was_there(tmp_path: Path) -> None:
    rig = write_rig(tmp_path / "rig", 2)
    words = ("hints", rig, "--out", tmp_path / "hints", "--width=320", "--height=160")
    first = leadline(*words, "--workers=1")
    assert "rig: the rig is rectified" in first.out
    assert first.err == ""
    assert not (tmp_path / "hints" / "report.html").exists()
    again = leadline(*words, "--report")
    assert "0 hints written" in again.out
    assert f"report: {tmp_path / 'hints' / 'report.html'}" in again.out
    assert "4 views, mode consistent" in (tmp_path / "hints" / "report.html").read_text()


def test_a_useless_rig_is_gone_on_with_where_that_is_wanted(tmp_path: Path) -> None:
    rig = write_rig(tmp_path / "rig", 2, moved(down=6))
    words = ("hints", rig, "--out", tmp_path / "hints", "--width=320", "--height=160")
    refused = leadline(*words, "--workers=1")
    assert refused.code == 2
    assert not (tmp_path / "hints").exists()
    gone_on = leadline(*words, "--workers=1", "--unchecked", "--report")
    assert gone_on.code == 0
    assert "pairs are not rectified" in gone_on.err.splitlines()[0]
    assert "4 hints written" in gone_on.out
    page = (tmp_path / "hints" / "report.html").read_text()
    assert '<p class="warning">Pairs are not rectified' in page


def test_a_range_that_is_too_small_is_told_at_once(
    made: tuple[list[HintJob], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, folder = made
    told: list[str] = []
    write_report(jobs, folder, METHOD, check_rig(jobs, SIZE), tell=told.append)
    assert told == []
    monkeypatch.setattr(report, "CLIPPED", -1.0)
    write_report(jobs, folder, METHOD, check_rig(jobs, SIZE), tell=told.append)
    assert len(told) == 1
    assert told[0].startswith("the range looks too small: ")
