"""benchmarks/scale.py at a tiny size: every step runs, and exponents are those of known costs."""

import math
from pathlib import Path
from types import ModuleType

import pytest
from scripts import load_script


@pytest.fixture(scope="module")
def scale() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "scale.py"
    return load_script(path)


def test_exponents_leave_out_the_cost_of_starting(scale: ModuleType) -> None:
    sizes = [400.0, 4000.0, 40_000.0]
    for power in (1, 2):
        values = [3 + 1e-3 * (size - 400) ** power for size in sizes]
        assert scale.exponent(sizes, values) == pytest.approx(power)
    assert scale.exponent(sizes, [3.0, 3.0, 3.0]) is None
    assert scale.exponent(sizes[:2], [3.0, 4.0]) is None
    assert scale.exponent(sizes, [math.nan] * 3) is None


def test_copies_are_planted(scale: ModuleType, tmp_path: Path) -> None:
    scale.write_clips(tmp_path, scale.Size(classes=1), range(48, 52))
    one, copy = (tmp_path / "class 000" / f"{number}.wav" for number in (49, 50))
    assert one.read_bytes() == copy.read_bytes()
    assert len({path.read_bytes() for path in one.parent.iterdir()}) == 3


def test_stages_of_the_doctor_add_up(scale: ModuleType, tmp_path: Path) -> None:
    costs = scale.measure(scale.Size(clips=52), tmp_path, ["doctor"])
    stages = {name: cost.cpu_s for name, cost in costs.items()}
    assert stages["doctor"] >= sum(stages[f"doctor: {name}"] for name in ("listing", "listening", "all comparisons"))
    assert stages["doctor: all comparisons"] >= stages["doctor: matching pairs"] >= stages["doctor: likely pairs"] >= 0
    assert costs["doctor"].peak_mb > 10
    lines = scale.table("clips", [52.0], [costs])
    assert lines[2].startswith("| doctor |")


@pytest.mark.slow
def test_every_step_runs(scale: ModuleType, tmp_path: Path) -> None:
    size = scale.Size(clips=60, cells=4)
    costs = scale.measure(size, tmp_path, [])
    assert {name for name in costs if ":" not in name} == {name for name, *_ in scale.steps(size, tmp_path)}
