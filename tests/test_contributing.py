"""CONTRIBUTING.md says which files an addition touches: here each addition is made in a copy of the package, in exactly
those files, and used."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import audiosurvey

PACKAGE = Path(audiosurvey.__file__).parent
REPOSITORY = Path(__file__).resolve().parents[1]


class Addition(NamedTuple):
    """What is written to add something, and a script that uses it."""

    new: dict[str, str]
    """New files."""
    lines: dict[str, dict[str, str]]
    """By existing file: text to insert before the line that starts with the key, or to put in place of this start if
    the text begins like it."""
    use: str


ADDITIONS = {
    "an augmentation": Addition(
        new={
            "augment/wave/halve.py": """
import numpy as np
from torch import Tensor
from dataclasses import dataclass
from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent

class HalveConfig(OperationConfig):
    factor: float = 0.5

@dataclass(frozen=True, slots=True)
class HalveDraw:
    factor: float

class Halve(WaveOperation[HalveConfig, HalveDraw]):
    name = "halve"

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> HalveDraw:
        return HalveDraw(self.config.factor)

    def render(self, wave_BS: Tensor, draws: list[HalveDraw], valid: list[int]) -> Tensor:
        return wave_BS * draws[0].factor
"""
        },
        lines={
            "augment/settings.py": {
                "from audiosurvey.section": "from audiosurvey.augment.wave.halve import HalveConfig\n",
                "    low_pass: LowPassConfig": "    halve: HalveConfig = HalveConfig()\n",
            }
        },
        use="""
chain = augmented({"halve": {"p": 1}, "shorten": {"p": 0}})
assert [each.name for each in chain.wave_operations] == ["halve"]
operation = chain.wave_operations[0]
assert operation.apply(torch.ones(1, 4), [operation.draw(stream("a"), 4, 4)], [4]).tolist() == [[0.5] * 4]
""",
    ),
    "a band operation": Addition(
        new={
            "augment/band/louder.py": """
import numpy as np
from torch import Tensor
from dataclasses import dataclass
from audiosurvey.augment.band.operation import BandOperation
from audiosurvey.augment.base import OperationConfig

class LouderConfig(OperationConfig):
    pass

@dataclass(frozen=True, slots=True)
class LouderDraw:
    factor: float

class Louder(BandOperation[LouderConfig, LouderDraw]):
    name = "louder"

    def draw_fired(self, rng: np.random.Generator) -> LouderDraw:
        return LouderDraw(10.0)

    def change(self, mel_BTF, draws, front_end) -> Tensor:
        return mel_BTF * 10
"""
        },
        lines={
            "augment/settings.py": {
                "from audiosurvey.section": "from audiosurvey.augment.band.louder import LouderConfig\n",
                "    tempo: TempoConfig": "    louder: LouderConfig = LouderConfig()\n",
            }
        },
        use="""
from audiosurvey.augment.band.operation import spectrogram
operation, = augmented({"louder": {"p": 1}}).band_operations
front_end = MelFrontEnd(MelConfig(compression="db", n_mels=8), 8000)
wave_BS = torch.randn(1, 8000)
change = spectrogram(front_end, wave_BS, [(operation, [operation.draw(stream("a"))])]) - front_end(wave_BS)
torch.testing.assert_close(change, torch.full_like(change, 10), atol=1e-3, rtol=0)
""",
    ),
    "a block": Addition(
        new={
            "model/blocks/square.py": """
from torch import nn
from audiosurvey.model.blocks.item import BlockItem

class Square(nn.Module):
    def forward(self, x):
        return x * x

class SquareItem(BlockItem):
    square: bool

    def output_shape(self, shape):
        return shape

    def build(self, shape):
        return Square()
"""
        },
        lines={
            "model/menu.py": {
                "from audiosurvey.model.blocks.transformer": "from audiosurvey.model.blocks.square import SquareItem\n",
                '    "fc":': '    "square": SquareItem,\n',
            }
        },
        use="""
blocks = [{"square": True}, {"pooling": {"mode": "avg", "flat": False}}]
config = Config.model_validate({"dataset": {"name": "toy"}, "model": {"blocks": blocks}})
assert any("square: true" in layer.name for layer in describe(config, classes=3).layers)
""",
    ),
    "a data set": Addition(
        new={
            "data/sets/two_tones.py": """
from pathlib import Path
from audiosurvey.data.sets.spec import DatasetSpec
from audiosurvey.data.table import Clip, Table

CLASSES = ("low", "high")

def read(root: Path, subset: str | None) -> Table:
    clips = [Clip(f"{fold}{n}", root / f"{fold}{n}.wav", (n,), fold=fold) for fold in (1, 2) for n in (0, 1)]
    return Table("two_tones", root, CLASSES, tuple(clips))

SPEC = DatasetSpec(name="two_tones", root=Path("data/two_tones"), clip_seconds=1, classes=CLASSES, read=read)
"""
        },
        lines={"data/sets/registry.py": {'    "toy",': '    "two_tones",\n'}},
        use="""
Path("data/two_tones").mkdir(parents=True)
for name in ("10", "11", "20", "21"):
    soundfile.write(f"data/two_tones/{name}.wav", np.zeros(8000), 8000)
table = load_table(DatasetConfig.model_validate({"name": "two_tones"}))
assert (table.classes, table.folds, len(table.clips)) == (("low", "high"), (1, 2), 4)
""",
    ),
    "a command": Addition(
        new={
            "cli/rate.py": '''
import audiosurvey
from audiosurvey.cli.app import ConfigArgument, app

@app.command()
def rate(config: ConfigArgument) -> None:
    """Print the sample rate."""
    print(audiosurvey.rate_of(config))
'''
        },
        lines={
            "api/configs.py": {
                "def list_presets(": (
                    "def rate_of(config: str) -> int:\n    return loaded(config).config.sample_rate\n\n\n"
                ),
            },
            "__init__.py": {
                '    "api.configs": (': '    "api.configs": ("rate_of", ',
                '    "load_config",': '    "rate_of",\n',
            },
            "cli/main.py": {"from audiosurvey.cli.app": "from audiosurvey.cli import rate  # noqa: F401\n"},
        },
        use="""
import audiosurvey.cli.main
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    audiosurvey.cli.main.app(["rate", "toy"], standalone_mode=False)
assert printed.getvalue().endswith("16000\\n")
""",
    ),
    "a loss": Addition(
        new={},
        lines={
            "training/loss.py": {
                '    name: Literal["auto", ': '    name: Literal["auto", "focal", ',
                "        classes = logits_BK.shape[1]": (
                    "        if self.name == 'focal':\n"
                    "            p_B = (logits_BK.softmax(1) * target_BK).sum(1)\n"
                    "            return -((1 - p_B) ** 2) * p_B.log()\n"
                ),
                "        self.smoothing =": "        self.name = config.name\n",
            }
        },
        use="""
loss = Loss(LossConfig.model_validate({"name": "focal"}), multi_label=False)
assert loss(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]])).item() == pytest.approx(0.25 * np.log(2))
""",
    ),
    "a metric": Addition(
        new={},
        lines={
            "training/metrics.py": {
                "METRICS = {": (
                    "def top2(scores_NK, truth_NK, binary):\n"
                    "    return top_k_accuracy(scores_NK, truth_NK.argmax(axis=1), 2)\n\n\n"
                ),
                '    "auroc":': '    "top2": Metric("top-2 accuracy", top2, multi_label=False),\n',
            }
        },
        use="""
scores_NK = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
measured = evaluate(scores_NK, np.eye(3)[[1, 0]], multi_label=False, binary=False)
assert list(measured) == [
    "accuracy", "balanced_accuracy", "top3_accuracy", "top2", "auroc", "f1", "precision", "calibration_error", "loss"
]
assert measured["top2"] == 0.5
""",
    ),
}

SHARED = """
import contextlib, io, sys
from pathlib import Path
import numpy as np, pytest, soundfile, torch
import audiosurvey
from audiosurvey.augment.chain import Chain
from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.api.configs import describe
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.randomness import stream
from audiosurvey.training.loss import Loss, LossConfig
from audiosurvey.training.metrics import evaluate

assert Path(audiosurvey.__file__).is_relative_to(sys.argv[1])

def augmented(settings):
    config = AugmentationConfig.model_validate(settings)
    return Chain(config, seed=0, sample_rate=8000, train_clips=(), front_end=None)
"""


def test_each_addition_works_in_exactly_the_files_that_are_named(tmp_path: Path) -> None:
    copy = tmp_path / "src" / "audiosurvey"
    shutil.copytree(PACKAGE, copy)
    for addition in ADDITIONS.values():
        for file, text in addition.new.items():
            (copy / file).write_text(text, encoding="utf-8")
        for file, insertions in addition.lines.items():
            text = (copy / file).read_text(encoding="utf-8")
            for start, line in insertions.items():
                new = line if line.startswith(start) else line + start
                text, places = re.subn(rf"^{re.escape(start)}", lambda _, new=new: new, text, flags=re.M)
                assert places == 1, f"{file}: {start}"
            (copy / file).write_text(text, encoding="utf-8")
    script = SHARED + "\n".join(addition.use for addition in ADDITIONS.values())
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "src")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ADDITIONS)
def test_contributing_names_the_files(name: str) -> None:
    addition = ADDITIONS[name]
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", _rows()[name]))
    folders = {path for path in named if path.endswith("/")}
    assert named - folders == set(addition.lines)
    assert all((PACKAGE / path).exists() for path in named)
    assert {f"{Path(file).parent.as_posix()}/" for file in addition.new} <= folders


def test_contributing_names_what_is_there() -> None:
    rows = _rows()
    assert rows.keys() == ADDITIONS.keys()
    for row in rows.values():
        sources = "".join((PACKAGE / path).read_text(encoding="utf-8") for path in re.findall(r"`([\w/]+\.py)`", row))
        for symbol in re.findall(r"`([A-Z]\w+)`", row):
            assert re.search(rf"^(class {symbol}\b|{symbol}\b)", sources, flags=re.M), symbol


def _rows() -> dict[str, str]:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| (an? [\w ]+) \| (.+) \|$", text, flags=re.M))
