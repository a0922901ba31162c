"""Files of weights, whole and broken, and files that would run something."""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from audiosurvey.errors import UserError
from audiosurvey.model.weights.weightfile import read_weights, weights_file
from audiosurvey.tensorfile import save_tensors

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(4)}


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_weights(weights_file(path))
    (line,) = caught.value.lines
    assert "\n" not in line
    return line


def same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == TENSORS.keys() and all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "form", [lambda t: t, OrderedDict, lambda t: {"model": t, "iteration": 7}, lambda t: {"state_dict": t}]
)
def test_files_of_torch_save(tmp_path: Path, zipped: bool, form) -> None:
    torch.save(form(TENSORS), tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert same(read_weights(tmp_path / "w.pth"))


@pytest.mark.parametrize("zipped", [True, False])
def test_numpy_arrays_beside_the_tensors(tmp_path: Path, zipped: bool) -> None:
    """The official PANNs checkpoints keep the state of their sampler so."""
    sampler = {
        "indexes": np.arange(5),
        "queue": [np.int64(3)],
        "weights": np.ones(2, np.float32),
        "done": np.array([True]),
    }
    content = {"model": TENSORS, "iteration": 3, "sampler": sampler}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert same(read_weights(tmp_path / "w.pth"))


def test_safetensors_and_the_folder_of_a_model(tmp_path: Path) -> None:
    save_tensors(tmp_path / "run" / "model" / "weights.safetensors", TENSORS)
    assert same(read_weights(tmp_path / "run" / "model" / "weights.safetensors"))
    assert same(read_weights(weights_file(tmp_path / "run" / "model")))
    assert same(read_weights(weights_file(tmp_path / "run")))


class Bomb:
    """Unpickled, it would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.write_text, (self.target, "run")


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_code_is_not_run(tmp_path: Path, zipped: bool) -> None:
    content = {"model": TENSORS, "more": Bomb(tmp_path / "harm")}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert "contains pickled code, which is never run" in refused(tmp_path / "w.pth")
    assert not (tmp_path / "harm").exists()


def test_a_bare_pickle_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(Bomb(tmp_path / "harm")))
    refused(tmp_path / "w.pkl")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "content", [b"", b"no weights, but words\n", b"PK\x03\x04 and nothing", b"\x80\x02.", bytes(100)]
)
def test_no_weights_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pt").write_bytes(content)
    assert "not a file of weights, or damaged" in refused(tmp_path / "w.pt")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_file(tmp_path: Path, share: float, zipped: bool) -> None:
    big = {"a": torch.zeros(5000)}
    torch.save(big, tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "w.pt").read_bytes()
    (tmp_path / "w.pt").write_bytes(whole[: int(share * len(whole))])
    assert "damaged" in refused(tmp_path / "w.pt")
    save_tensors(tmp_path / "w.safetensors", big)
    whole = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(whole[: max(20, int(share * len(whole)))])
    assert "damaged" in refused(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    "content", [[torch.zeros(2)], torch.zeros(2), {"epoch": 3}, {}, {"a": torch.zeros(1), "b": "text"}]
)
def test_tensors_without_names(tmp_path: Path, content) -> None:
    torch.save(content, tmp_path / "w.pt")
    assert "does not contain named tensors" in refused(tmp_path / "w.pt")


def test_folders_and_files_that_are_not_there(tmp_path: Path) -> None:
    assert "no weights.safetensors or model.safetensors in this folder" in refused(tmp_path)
    save_tensors(tmp_path / "fold-2" / "model" / "weights.safetensors", TENSORS)
    assert refused(tmp_path).endswith(f"models here: {(tmp_path / 'fold-2/model').as_posix()}")
    assert "cannot be read" in refused(tmp_path / "nothing.pt")


def test_a_pipe_is_not_opened(tmp_path: Path, named_pipe) -> None:
    with pytest.raises(UserError, match=r"weights\.pt: not a plain file \(named pipe\)"):
        read_weights(named_pipe(tmp_path / "weights.pt"))
