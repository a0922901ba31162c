"""The code blocks of README.md and docs/: Python is run, YAML is read as what it is, and commands are parsed or run.

The blocks of a page run one after the other, in a folder with the files that they speak of. What is not run is in a
table below, with the reason.
"""

import re
import shlex
import shutil
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from docs_world import names_for, working_in

from audiosurvey.api.state import unchanged_state

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]

NOT_RUN = {
    "docs/app.md js": "needs Node.js with onnxruntime-node; the output beside it was made by it",
    "docs/app.md swift": "needs a Mac; not compiled yet, which the page says",
    "docs/app.md cpp": "needs a compiler and the headers of ONNX Runtime; the output beside it was made by it",
}
"""Blocks of other languages."""
NOT_STARTED = {
    "train": "trains for minutes; the same options are run on toy data in tests/cli",
    "survey": "trains for minutes; tests/surveys",
    "reproduce": "trains for minutes; tests/reproduction",
    "download": "needs the network; tests/api/test_commands_that_write.py with a server on this machine",
    "demo": "serves until Ctrl-C; tests/demo",
    "export": "traces a network for half a minute a format; tests/cli/test_export.py",
    "robustness": "corrupts every clip in ten ways; tests/analysis",
    "evaluate": "needs annotated recordings or sounds of no class; tests/detection",
}
"""Commands that are only parsed."""
LINES_NOT_STARTED = {
    "predict surveys/survey/runs/small_lr=0.001-seed0 street.wav": "needs the survey of that page",
    "predict model - --rate 44100 --threshold 0.6": "reads from a pipe; tests/prediction",
    "compare surveys/survey": "needs the survey of that page",
    "report surveys/survey": "needs the survey of that page",
    "init my.yaml --root clips.csv --set dataset.columns={label: species} --set dataset.label_separator=;": (
        "needs a table with other names of columns; tests/data/sets/test_csv_table.py"
    ),
}
"""Single lines that are only parsed."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[list[str]]:
        """The words of each audiosurvey command in it."""
        text = self.text.replace("\\\n", " ")
        starts = r"^(?:\$ |.*?[|;] ?(?:do )?)?audiosurvey ([^|&\n]*)"
        if self.language or not re.search(starts, text, flags=re.M):
            return []
        return [shlex.split(found, comments=True) for found in re.findall(starts, text, flags=re.M)]


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        name = page.relative_to(REPOSITORY).as_posix()
        for found in re.finditer(r"^ *```(\w*)\n(.*?)^ *```$", text, flags=re.M | re.S):
            line = text[: found.start()].count("\n") + 1
            yield Block(name, line, found[1], textwrap.dedent(found[2]))


BLOCKS = list(blocks())
COMMANDS = [(block.place, words) for block in BLOCKS for words in block.commands]
PYTHON = sorted({block.page for block in BLOCKS if block.language == "python"})
SLOW = {"docs/app.md": "exports a model", "docs/python.md": "trains for a minute"}


@pytest.fixture
def world(docs_world: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the folder with the files of the examples, as the working folder."""
    folder = shutil.copytree(docs_world, tmp_path / "world")
    with working_in(folder):
        yield folder


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configs that do not say how long they train do so for one epoch."""
    monkeypatch.setattr("audiosurvey.config.root.DEFAULT_EPOCHS", 1)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.slow] * (page in SLOW)) for page in PYTHON])
def test_the_python_of_a_page_runs(page: str, world: Path, request: pytest.FixtureRequest):
    name = Path(page).name
    given = names_for(name, world)
    prepare = PREPARED.get(name)
    if prepare is not None:
        prepare(world, request)
    with unchanged_state():
        for block in BLOCKS:
            if block.page == page and block.language == "python":
                try:
                    exec(compile(block.text, block.place, "exec"), given)
                except Exception as error:
                    raise AssertionError(f"{block.place}: {type(error).__name__}: {error}") from error
        if name == "python-training.md":
            assert given["train"]("my.yaml")["accuracy"] > 0


def _without_the_run(world: Path, request: pytest.FixtureRequest) -> None:
    shutil.rmtree(world / "runs" / "mine")


def _with_weights(world: Path, request: pytest.FixtureRequest) -> None:
    """The released weights where a download leaves them."""
    from audiosurvey.model.weights import released

    shared: Path = request.getfixturevalue("shared")
    patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    patch.setattr(released, "_cached", lambda init: shared / "weights" / "mn04_as_mAP_432.pt")


def _exported(world: Path, request: pytest.FixtureRequest) -> None:
    import audiosurvey

    pytest.importorskip("onnxruntime")
    audiosurvey.export("runs/mine", output="model.onnx")


PREPARED: dict[str, Callable[[Path, pytest.FixtureRequest], None]] = {
    "python.md": _without_the_run,
    "python-sklearn.md": _with_weights,
    "app.md": _exported,
}
"""What a page needs besides."""


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "yaml"], ids=lambda block: block.place)
def test_yaml_is_read_as_what_it_is(block: Block, world: Path):
    from audiosurvey.config.loader import load_config
    from audiosurvey.config.set_file import read_set
    from audiosurvey.surveys.planning.reading import load_survey

    values: dict[str, Any] = yaml.safe_load(block.text)
    (world / "block.yaml").write_text(block.text.replace("5c0f...", 32 * "5c"), encoding="utf-8")
    if "configs" in values:
        assert load_survey(world / "block.yaml").spec.configs
    elif "table" in values:
        assert read_set(world / "block.yaml").name == values["name"]
    else:
        (world / "ignore.tsv").write_text("", encoding="utf-8")
        assert load_config(world / "block.yaml").config.dataset.name == values["dataset"]["name"]


@pytest.mark.parametrize(("place", "words"), COMMANDS, ids=lambda value: value if isinstance(value, str) else None)
def test_commands_have_these_options(place: str, words: list[str]):
    """Parsed by the real parser: an unknown command or option, or a missing argument, fails."""
    import audiosurvey.cli.main
    from audiosurvey.cli.app import app

    assert audiosurvey.cli.main
    group: Any = typer.main.get_command(app)
    name, command, rest = group.resolve_command(
        group.make_context("audiosurvey", ["--"], resilient_parsing=True), words
    )
    assert command.make_context(name, list(rest)).params


def _started(words: list[str]) -> bool:
    return words[0] not in NOT_STARTED and " ".join(words) not in LINES_NOT_STARTED


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({place.split(":")[0] for place, words in COMMANDS if _started(words)}))
def test_the_quick_commands_of_a_page_run(page: str, world: Path, command: Callable[..., tuple[int, str, str]]):
    for place, words in COMMANDS:
        if place.startswith(f"{page}:") and _started(words):
            if words[0] == "init":
                (world / "my.yaml").unlink(missing_ok=True)
            status, _, err = command(*words)
            assert status == 0, f"{place}: audiosurvey {shlex.join(words)}: {err}"


def test_every_block_is_run_or_has_a_reason(capsys: pytest.CaptureFixture[str]):
    others = {f"{one.page} {one.language}" for one in BLOCKS if one.language not in ("", "python", "yaml")}
    assert others == set(NOT_RUN)
    assert set(NOT_STARTED) <= {words[0] for _, words in COMMANDS}
    assert set(LINES_NOT_STARTED) <= {" ".join(words) for _, words in COMMANDS}
    python, text = (sum(one.language == kind for one in BLOCKS) for kind in ("python", "yaml"))
    started = sum(_started(words) for _, words in COMMANDS)
    with capsys.disabled():
        print(
            f"\ndocumentation: {python} Python blocks run, {text} YAML blocks read, {len(COMMANDS)} commands parsed, "
            f"{started} of them run; blocks not run: {len(NOT_RUN)}"
        )
