"""Fixtures for all tests: where the real data is, a cache of the test's own, and runs small enough to be trained."""

import contextlib
import gc
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import soundfile

# Machines are busy; what a test says must not depend on it.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")

pytest_plugins = ["ced_files", "hub_folders", "fake_hub", "model_fixtures", "own_weights", "small_survey", "docs_world"]

PATIENCE_S = 300
REPOSITORY = Path(__file__).resolve().parent.parent

TINY = """\
sample_rate: 8000
mel_spectrogram:
  {{win_length: 0.032, hop_length: 0.016, n_mels: 16, f_min: 50, compression: db, standardize: batch_norm}}
augmentation: {{shorten: {{p: 0}}}}
dataset: {{name: folder, root: '{root}', num_folds: 3, clip_seconds: 0.5}}
train: {{epochs: 2, lr: 0.02, batch_size: 8, num_workers: 0}}
model:
  blocks:
    - conv_block: {{channels: 8, layers: 1}}
    - conv_block: {{channels: 8, layers: 1}}
    - pooling: {{mode: avg, flat: false}}
precision: fp32
tracking: []
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on a GPU are skipped where there is none."""
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu:
        import torch

        for item in on_gpu:
            item.add_marker(pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and specifications; its tests are skipped where it is absent."""
    folder = Path(os.environ.get("AUDIOSURVEY_SHARED", REPOSITORY.parent / "shared")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent (AUDIOSURVEY_SHARED says where it is)")
    return folder


@pytest.fixture(autouse=True)
def tmp_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stores and caches of a test go to a folder of its own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("AUDIOSURVEY_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four class folders with six clips each: half a second of a tone, or of noise, at 8 kHz."""
    root = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    seconds = np.arange(4000) / 8000
    for name, hertz in {"low": 300, "mid": 900, "high": 2500, "noise": 0}.items():
        (root / name).mkdir()
        for number in range(6):
            tone = 0.3 * np.sin(2 * np.pi * hertz * seconds + number) if hertz else 0.0
            wave = tone + (0.02 if hertz else 0.2) * rng.standard_normal(len(seconds))
            soundfile.write(root / name / f"{number}.wav", wave, 8000)
    return root


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    """A folder with one impulse response, of a ninth of a second."""
    soundfile.write(tmp_path / "room.wav", np.exp(-np.arange(900) / 100) * (-1.0) ** np.arange(900), 8000)
    return tmp_path


@pytest.fixture
def on_tones(tones: Path) -> Callable[..., Any]:
    """`on_tones("eat", "train.lr=1", ..., device="cpu")`: the first stage of a shipped config on the tones, padded to a
    second, in batches of four, in float32."""
    from audiosurvey.config.loader import load_config
    from audiosurvey.data.sounds import prepare_sounds as prepare
    from audiosurvey.runs.stages.stage import Stage
    from audiosurvey.training.accelerator import make_accelerator

    def stage(name: str, *overrides: str, device: str = "cpu") -> Stage:
        own = f"dataset={{name: folder, root: '{tones.as_posix()}', num_folds: 3, clip_seconds: 1}}"
        common = ("train.batch_size=4", "train.num_workers=0", "precision=fp32")
        config = load_config(name, (own, *common, *overrides)).config
        sounds = prepare(config.dataset, config.sample_rate)
        accelerator, clips = make_accelerator(device, "fp32"), sounds.table.clips
        return Stage(config, sounds, clips, accelerator=accelerator, settings=config.train, name="train", fold=1)

    return stage


@pytest.fixture
def augmented(on_tones: Callable[..., Any], rooms: Path) -> Callable[..., Any]:
    """`augmented("mixup", "first", device="cpu")`: a batch of tones under all augmentations that there are, but for the
    other mixings, whose waves are mixed first or last: what the network hears, and the targets, both on the CPU."""
    import torch

    from audiosurvey.augment.settings import MEL_MIXINGS, WAVE_MIXINGS, AugmentationConfig

    mixings = WAVE_MIXINGS + MEL_MIXINGS
    others = [name for name, part in AugmentationConfig() if hasattr(part, "p") and name not in mixings]

    def heard(mixing: str, order: str, device: str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
        chances = [f"augmentation.{name}.p=0.5" for name in others]
        chances += [f"augmentation.{name}.p={0.8 if name == mixing else 0}" for name in mixings]
        common = [f"augmentation.reverb.folder={rooms.as_posix()}", f"augmentation.mix_waves={order}"]
        common.append(f"augmentation.background.folder={rooms.as_posix()}")
        # Above a low cut-off, most cells would hold nothing but rounding.
        common.append("augmentation.low_pass.min_hz=7000")
        network = ["model={preset: tiny}", "train.batch_size=16"]
        stage = on_tones("esc50", *common, *chances, *network, device=device)
        batches = stage.batches.epoch(3)
        shown, targets = stage.chain.render(next(batches).to(torch.device(device)))
        batches.close()
        assert isinstance(shown, torch.Tensor)
        assert shown.device.type == device
        return shown.cpu(), targets.weighted_BK.cpu()

    return heard


@pytest.fixture(scope="session")
def assert_heard_alike() -> Callable[..., None]:
    """`assert_heard_alike(found, expected)`: two batches of `augmented` are one, but for rounding."""
    import torch

    def check(found: tuple[torch.Tensor, torch.Tensor], expected: tuple[torch.Tensor, torch.Tensor]) -> None:
        (found_BCTF, target_BK), (expected_BCTF, truth_BK) = found, expected
        torch.testing.assert_close(target_BK, truth_BK, atol=1e-5, rtol=0)
        # Decibels; in a silent cell a rounding is a large share of nothing.
        far_BCTF = (found_BCTF - expected_BCTF).abs()
        assert far_BCTF.median() < 1e-3
        assert (far_BCTF > 0.1).float().mean() < 1e-3

    return check


@pytest.fixture
def killed_after_checkpoint(monkeypatch: pytest.MonkeyPatch) -> Callable[..., contextlib.AbstractContextManager[None]]:
    """`with killed_after_checkpoint(lambda trainer: trainer.state.epoch == 2): ...`: the training in it ends as by a
    kill, right after the first checkpoint for which this holds was written."""
    from audiosurvey.training.loop import Trainer

    class Killed(Exception):
        pass

    @contextlib.contextmanager
    def kill(when: Callable[[Trainer], bool] = lambda trainer: True) -> Iterator[None]:
        true_save = Trainer._save

        def save(self: Trainer) -> None:
            true_save(self)
            if when(self):
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_save", save)
            with pytest.raises(Killed):
                yield

    return kill


@pytest.fixture
def wait_for_lines() -> Callable[..., None]:
    """`wait_for_lines(path, 2, process)`: until the file has so many lines."""

    def wait(path: Path, lines: int, process: subprocess.Popen[str]) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not path.exists() or path.read_bytes().count(b"\n") < lines:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < ends, f"{path} did not come"
            time.sleep(0.002)

    return wait


@pytest.fixture(scope="session")
def tiny_yaml(tones: Path) -> str:
    """A config of a network of two small blocks, for the tones: three folds, two epochs, a second in all."""
    return TINY.format(root=tones.as_posix())


@pytest.fixture(scope="session")
def tiny(tiny_yaml: str) -> Callable[..., Any]:
    """`tiny("train.epochs=1", ...)`: that config with these keys set."""
    from audiosurvey.config.loader import load_text

    return lambda *overrides: load_text(tiny_yaml, "tiny.yaml", overrides)


@pytest.fixture(scope="session")
def train_tiny(tiny: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """`train_tiny(run_dir, "train.epochs=1", ..., folds=[1])` trains, in one thread, and gives the results."""
    from audiosurvey.detection.training import train_run
    from audiosurvey.reporting.listener import TerminalListener
    from audiosurvey.runs.plan import TrainOptions
    from audiosurvey.threads import one_thread

    # Every fold ends with a collection of garbage, which takes long where all that was imported is looked through.
    gc.collect()
    gc.freeze()

    def run(
        run_dir: Path,
        *overrides: str,
        folds: list[int] | None = None,
        resume: bool = False,
        final: bool = False,
        jobs: int = 1,
        device: str = "cpu",
        detection: bool = False,
        golden_clips: bool = True,
        say: Callable[[str], None] = lambda line: None,
    ) -> dict[str, Any]:
        with one_thread():
            options = TrainOptions(
                run_dir, folds, resume, device, final, jobs, detection=detection, golden_clips=golden_clips
            )
            trained = train_run(tiny(*overrides), options, TerminalListener(say=say, quiet=True))
        return trained.results.as_json()

    return run


@pytest.fixture(scope="session")
def finished_run(train_tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with all folds done and TensorBoard events. For reading only."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(folder / "cache"))
        train_tiny(folder / "run", "train.epochs=6", "tracking=[tensorboard]")
    return folder / "run"


@pytest.fixture(scope="session")
def final_run(train_tiny: Callable[..., Any], finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run with a final model, added by a resume. For reading only."""
    folder = tmp_path_factory.mktemp("final")
    shutil.copytree(finished_run, folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(folder / "cache"))
        train_tiny(folder / "run", "train.epochs=6", "tracking=[tensorboard]", resume=True, final=True)
    return folder / "run"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`command("train", "toy", ...)` runs the command line in this process: exit status, stdout, stderr."""
    from audiosurvey.cli.main import main
    from audiosurvey.threads import one_thread

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["audiosurvey", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended, one_thread():
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def process(tmp_path: Path, tmp_cache: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`process("train", ...)` starts the command line as a process of its own, in one thread, in `tmp_path`."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: object, python: tuple[str, ...] = ("-m", "audiosurvey")) -> subprocess.Popen[str]:
        one = subprocess.Popen(
            [sys.executable, *python, *map(str, words)],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1", "AUDIOSURVEY_CACHE": str(tmp_cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(one)
        return one

    yield start
    for one in started:
        one.terminate()
        try:
            one.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            one.kill()
            one.communicate()
        except ValueError:
            # A test has closed a pipe itself.
            one.wait()


@pytest.fixture
def named_pipe() -> Iterator[Callable[[Path], Path]]:
    """`named_pipe(path)` makes a named pipe. Whoever waits at its other end is let go after a while, so that a reader
    that opens it fails its test and does not hang."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes in the file system")
    made: list[Path] = []
    over = threading.Event()

    def let_go() -> None:
        while not over.wait(5):
            for path in made:
                with contextlib.suppress(OSError):
                    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))

    thread = threading.Thread(target=let_go, daemon=True)
    thread.start()

    def make(path: Path) -> Path:
        os.mkfifo(path)
        made.append(path)
        return path

    yield make
    over.set()
    thread.join()


@pytest.fixture(scope="session")
def launch_browser() -> Iterator[Callable[..., Any]]:
    """`launch_browser("--flag", ...)`: headless Chromium, closed at the end; its tests are skipped where it is missing.

    One Playwright for all tests: a second one in the same thread fails.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium: `make setup-browser` installs it")
    # Chromium has no sandbox for root.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright, contextlib.ExitStack() as opened:

        def launch(*flags: str) -> Any:
            one = playwright.chromium.launch(executable_path=chromium, args=[*root, *flags])
            opened.callback(one.close)
            return one

        yield launch
