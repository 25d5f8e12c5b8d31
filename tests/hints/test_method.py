from collections import Counter

import pytest

from leadline.hints.consistent import ConsistentSetting
from leadline.hints.match import DEFAULT_SETTINGS, PUBLISHED_SETTINGS, MatcherSetting
from leadline.hints.method import HintMethod
from leadline.hints.semi_global import SemiGlobalSetting


def test_fusing_runs_every_setting_that_differs() -> None:
    assert HintMethod("valid").settings_for("a") == DEFAULT_SETTINGS
    assert len(HintMethod("published", PUBLISHED_SETTINGS).settings_for("a")) == 8
    assert HintMethod("single").settings_for("a") == HintMethod("single").settings_for("b")


def test_random_draws_one_of_twelve_by_seed_and_image() -> None:
    names = [f"image_02/{n:010d}.png" for n in range(1200)]
    draws = [HintMethod("random").settings_for(name) for name in names]
    assert draws == [HintMethod("random").settings_for(name) for name in names]
    assert draws != [HintMethod("random", seed=1).settings_for(name) for name in names]
    counts = Counter(setting for (setting,) in draws)
    assert set(counts) == set(PUBLISHED_SETTINGS)
    assert max(counts.values()) < 150  # 100 expected, standard deviation 9.6
    assert draws[0] == HintMethod("random").settings_for(names[0])


def test_what_is_recorded_differs_where_hints_do() -> None:
    methods = [
        HintMethod(),
        HintMethod(consistent=ConsistentSetting(fill=True)),
        HintMethod(consistent=ConsistentSetting(SemiGlobalSetting(num_disparities=128))),
        HintMethod("valid"),
        HintMethod("published"),
        HintMethod("published", PUBLISHED_SETTINGS),
        HintMethod("published", (MatcherSetting(3, 64, p1=8),)),
        HintMethod("random"),
        HintMethod("random", seed=1),
        HintMethod(size=(192, 640)),
    ]
    recorded = [tuple(method.recorded().items()) for method in methods]
    assert len(set(recorded)) == len(methods)
    assert HintMethod(seed=3).recorded() == HintMethod().recorded()


def test_senseless_methods_are_refused() -> None:
    unchecked = HintMethod()
    object.__setattr__(unchecked, "mode", "fused")
    with pytest.raises(ValueError, match=r"mode: expected one of .*, got 'fused'"):
        unchecked.__post_init__()
    with pytest.raises(ValueError, match="mode single: expected one setting, got 12"):
        HintMethod("single", PUBLISHED_SETTINGS)
    with pytest.raises(ValueError, match="width above the 160 disparities searched"):
        HintMethod("valid", size=(96, 160))
    with pytest.raises(ValueError, match="mode consistent: expected none of OpenCV's"):
        HintMethod(settings=DEFAULT_SETTINGS)
    with pytest.raises(ValueError, match="mode single: expected no settings of the mode"):
        HintMethod("single", consistent=ConsistentSetting(fill=True))
    with pytest.raises(ValueError, match="size: expected 4x4 or more, got 160x3"):
        HintMethod(size=(3, 160))
    with pytest.raises(ValueError, match="seed: expected 0 or more"):
        HintMethod("random", seed=-1)


def test_the_reach_is_that_of_the_widest_matcher() -> None:
    assert HintMethod("valid").reach == HintMethod("published").reach == 160
    assert HintMethod().reach == 256
    assert HintMethod("single").reach == 64
    narrow = ConsistentSetting(SemiGlobalSetting(num_disparities=96))
    assert HintMethod(consistent=narrow).reach == 96
