"""Files of tensors: what is written is read, and what cannot be read is one line."""

from pathlib import Path

import pytest
import torch

from audiosurvey.errors import UserError
from audiosurvey.tensorfile import load_tensors, open_tensors, save_tensors


def test_tensors_and_metadata_come_back(tmp_path: Path):
    shared = torch.arange(6.0).reshape(2, 3)
    path = tmp_path / "new" / "a.safetensors"
    save_tensors(path, {"all": shared, "turned": shared.T}, {"note": "é"})
    tensors, metadata = load_tensors(path)
    assert torch.equal(tensors["turned"], shared.T)
    assert metadata == {"note": "é"}
    with open_tensors(path) as file:
        assert set(file.keys()) == {"all", "turned"}
    assert [entry.name for entry in path.parent.iterdir()] == ["a.safetensors"]


def test_a_missing_or_damaged_file_is_one_line(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(UserError, match="is missing; make it again"):
        load_tensors(path, "make it again")
    save_tensors(path, {"a": torch.zeros(9)})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="damaged or incomplete; copy it again"):
        load_tensors(path)


def test_tensors_of_any_layout_are_written(tmp_path: Path):
    whole = torch.arange(24.0).reshape(2, 3, 2, 2)
    tensors = {
        "rows": whole,
        "shared": whole,
        "part": whole[1],
        "channels_last": whole.to(memory_format=torch.channels_last),
        "number": torch.tensor(3),
        "empty": torch.zeros(0),
        "also_empty": torch.zeros(0),
    }
    save_tensors(tmp_path / "x.safetensors", tensors)
    found, _ = load_tensors(tmp_path / "x.safetensors")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], value) for name, value in tensors.items())
