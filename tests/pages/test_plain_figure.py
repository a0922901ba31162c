"""Names are text in every picture, whatever characters they hold."""

import ast
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.table import Clip
from audiosurvey.diagnosis.audit import audit_dataset
from audiosurvey.diagnosis.figures import overview, spectra
from audiosurvey.pages.plain_figure import PlainFigure
from audiosurvey.reporting import figures as report_figures
from audiosurvey.reporting.figures import confusion_figure, curves_figure, draw_batch, save_figure
from audiosurvey.reporting.preview import write_preview

NAMES = ["$x_$", "a$b$", "$$", r"$\frac$", "100$ {", "a_b^c", r"\alpha", "caf\udce9", "日本", "a\nb", ""]
PACKAGE = Path(report_figures.__file__).resolve().parent.parent
HISTORY = [{"epoch": 1, "train_loss": 0.5, "train_accuracy": 0.5, "test_loss": 0.5, "test_accuracy": 0.5}]


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_takes_any_name(name: str, tmp_path: Path):
    save_figure(confusion_figure([[1, 2], [3, 4]], [name, "b"], f"{name}: accuracy 0.5"), tmp_path / "confusion.png")
    save_figure(curves_figure({1: HISTORY}, name), tmp_path / "curves.png")
    assert draw_batch(np.random.default_rng(0).random((2, 1, 20, 8)), [name, "b"]).std() > 0
    wave_S, mel_TF = np.zeros(80, np.float32), np.random.default_rng(0).random((20, 8))
    clip = Clip(name, Path("a.wav"), (0,))
    drawn = [{"operation": "mixup", "partner": name}]
    write_preview(tmp_path / "preview", clip, 1, wave_S, wave_S, 8000, mel_TF, mel_TF, drawn, 0.01)


def test_a_formula_is_drawn_as_it_is_written():
    """A valid formula draws no error, but other letters."""
    pictures = []
    for parsed in (PlainFigure, report_figures.PlainFigure.__mro__[1]):
        figure = parsed(figsize=(2, 1))
        figure.suptitle(r"$\alpha$")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pictures.append(np.asarray(canvas.buffer_rgba()).copy())
    assert not np.array_equal(*pictures)


@pytest.mark.parametrize("name", ["$x_$", "{a}$", "<b>&"])
def test_the_pictures_of_the_doctor_take_any_name(name: str, tmp_path: Path):
    import soundfile

    rng = np.random.default_rng(0)
    for folder in (name, "other"):
        (tmp_path / folder).mkdir()
        for number in range(3):
            soundfile.write(tmp_path / folder / f"{number}.wav", 0.1 * rng.standard_normal(8000), 8000)
    diagnosis = audit_dataset(DatasetConfig(name="folder", root=tmp_path, num_folds=3))
    assert len(overview(diagnosis)) == 5
    assert spectra(diagnosis, name).startswith(b"\x89PNG")


def test_no_picture_is_drawn_on_another_figure():
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "matplotlib.figure":
                own = file.name == "plain_figure.py" or [alias.name for alias in node.names] == ["Figure"]
                assert own, file
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "Figure", f"{file}: draw on a PlainFigure"
            if isinstance(node, ast.Attribute | ast.alias):
                assert getattr(node, "name", getattr(node, "attr", "")) != "pyplot", file
