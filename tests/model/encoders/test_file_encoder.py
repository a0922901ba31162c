"""Model files as modules: equal to their runtime, windows and pooling, no gradient, the content is in the state."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from encoder_files import FILTERS, embeddings_of, write_frames_after, write_onnx

from audiosurvey.errors import UserError
from audiosurvey.model.describe import describe
from audiosurvey.model.encoders.file_encoder import FileEncoder
from audiosurvey.model.encoders.file_settings import read_file_settings
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network
from audiosurvey.model.weights.pretrained import open_weights

RATE = 8000


def network_of(path: Path, samples: int, device: str = "cpu", **options: Any) -> Network:
    found = read_file_settings({"file": str(path), "sample_rate": RATE, **options})
    block = {"file": str(path), "sample_rate": RATE, **options, "output": found.graph.output, "graph": found.graph}
    config = ModelConfig.model_validate({"blocks": [{"input": "wave"}, {"encoder": block}]})
    with torch.device(device):
        network = build_network(config, input_shape=(1, samples), classes=3, seed=0)
    if device == "cpu":
        open_weights(str(path)).put_into(network)
    return network.eval()


def embedded(network: Network, wave_BS: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network.embed(torch.from_numpy(wave_BS).unsqueeze(1)).numpy()


@pytest.fixture
def wave_BS() -> np.ndarray:
    rng, time_S = np.random.default_rng(0), np.arange(9000) / RATE
    tones = [0.3 * np.sin(2 * np.pi * hz * time_S) for hz in (200, 700, 3000)]
    return (np.stack(tones) + 0.01 * rng.standard_normal((3, 9000))).astype(np.float32)


@pytest.mark.parametrize("given", [{}, {"batch": 1}, {"batch": None}, {"channel": True}])
def test_equal_to_onnxruntime(given: dict[str, Any], wave_BS: np.ndarray, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "e.onnx", **given)
    session = onnxruntime.InferenceSession(str(path))
    rank = len(session.get_inputs()[0].shape)
    waves = [wave_S.reshape((1,) * (rank - 1) + (-1,)) for wave_S in wave_BS]
    theirs = [np.asarray(session.run(None, {"wave": wave})[0]).ravel() for wave in waves]
    found = embedded(network_of(path, 9000), wave_BS)
    np.testing.assert_allclose(found, theirs, rtol=1e-5, atol=1e-5)
    ours = [embeddings_of(wave_S).mean(axis=0) for wave_S in wave_BS]
    np.testing.assert_allclose(found, ours, atol=1e-3)


def test_an_inner_tensor_is_what_it_is_as_an_output(wave_BS: np.ndarray, tmp_path: Path) -> None:
    hidden = write_onnx(tmp_path / "hidden.onnx", outputs=("scores",))
    shown = write_onnx(tmp_path / "shown.onnx", outputs=("pooled",))
    np.testing.assert_allclose(
        embedded(network_of(hidden, 9000, output="pooled"), wave_BS),
        embedded(network_of(shown, 9000), wave_BS),
        rtol=1e-6,
    )


@pytest.mark.parametrize("pool", ["mean", "max"])
@pytest.mark.parametrize("batch", ["batch", None])
def test_windows_cover_a_clip_and_all_their_frames_are_pooled(
    pool: str, batch: str | None, wave_BS: np.ndarray, tmp_path: Path
) -> None:
    path = write_onnx(tmp_path / "e.onnx", samples=4000, batch=batch, frames=True)
    found = embedded(network_of(path, 9000, pool=pool), wave_BS)
    for wave_S, found_N in zip(wave_BS, found, strict=True):
        frames_TN = np.concatenate([embeddings_of(wave_S[start : start + 4000]) for start in (0, 2500, 5000)])
        expected_N = frames_TN.mean(axis=0) if pool == "mean" else frames_TN.max(axis=0)
        np.testing.assert_allclose(found_N, expected_N, atol=1e-3)


def test_a_short_clip_is_filled_up_with_zeros(wave_BS: np.ndarray, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "e.onnx", samples=4000)
    short_BS = wave_BS[:, :3000]
    found = embedded(network_of(path, 3000), short_BS)
    ours = [embeddings_of(np.pad(wave_S, (0, 1000))).mean(axis=0) for wave_S in short_BS]
    np.testing.assert_allclose(found, ours, atol=1e-3)


def test_no_gradient_passes_and_nothing_is_trained(wave_BS: np.ndarray, tmp_path: Path) -> None:
    network = network_of(write_onnx(tmp_path / "e.onnx"), 9000).train()
    logits = network(torch.from_numpy(wave_BS).unsqueeze(1))
    logits.sum().backward()
    trained = [name for name, value in network.named_parameters() if value.grad is not None]
    assert trained == ["classifier.weight", "classifier.bias"] == [name for name, _ in network.named_parameters()]
    with pytest.raises(UserError, match=r"e\.onnx is run by its own runtime, through which no gradient passes; what"):
        network(torch.from_numpy(wave_BS).unsqueeze(1).requires_grad_(True))


def test_the_content_is_part_of_the_state(wave_BS: np.ndarray, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "e.onnx")
    network = network_of(path, 9000)
    state, expected = network.state_dict(), embedded(network, wave_BS)
    assert state["blocks.1.content"].numpy().tobytes() == path.read_bytes()
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        np.testing.assert_array_equal(embedded(copied, wave_BS), expected)
    other = network_of(write_onnx(tmp_path / "e.onnx"), 9000)
    state["blocks.1.content"] = state["blocks.1.content"].clone()
    state["blocks.1.content"][-1] ^= 1
    other.load_state_dict(state)
    with pytest.raises(UserError, match=r"encoder: e\.onnx: is not the file that the config was made with"):
        embedded(other, wave_BS)
    with pytest.raises(RuntimeError, match=r"blocks\.1\.content"):
        other.load_state_dict({name: value for name, value in state.items() if "content" not in name})
    with pytest.raises(RuntimeError, match="not the content of a file of"):
        other.load_state_dict(state | {"blocks.1.content": torch.zeros(3, dtype=torch.uint8)})


def test_weights_of_another_file_are_refused(tmp_path: Path) -> None:
    network = network_of(write_onnx(tmp_path / "e.onnx"), 9000)
    other = write_onnx(tmp_path / "other.onnx", samples=4000)
    with pytest.raises(UserError, match=r"not the file e\.onnx that the config was made with, or it was changed since"):
        open_weights(str(other)).put_into(network)
    plain = build_network(ModelConfig(), input_shape=(1, 40, 40), classes=3, seed=0)
    with pytest.raises(
        UserError, match=r"no such encoder; write blocks: \[\{input: wave\}, \{encoder: \{file: FILE\}\}\]"
    ):
        open_weights(str(other)).put_into(plain)


def test_the_runtime_has_the_threads_of_torch(
    wave_BS: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, opened = network_of(write_onnx(tmp_path / "e.onnx"), 9000), []
    before = onnxruntime.InferenceSession

    def session(content: bytes, options: Any, **given: Any) -> Any:
        opened.append(options.intra_op_num_threads)
        return before(content, options, **given)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    kept = torch.get_num_threads()
    try:
        for threads in (1, 1, 2):
            torch.set_num_threads(threads)
            embedded(network, wave_BS)
    finally:
        torch.set_num_threads(kept)
    assert opened == [1, 2]


def test_describe_says_what_is_not_counted(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "e.onnx", samples=4000)
    found = describe(network_of(path, 9000, device="meta"), (1, 9000))
    assert [row.output_shape for row in found.layers] == [(1, 9000, 1), (FILTERS,), (3,)]
    assert found.parameters == 3 * FILTERS + 3
    assert found.whole_macs is None
    (note,) = found.notes
    assert note.startswith("e.onnx: 6,2")
    assert note.endswith("not trained, and the multiply-accumulates of its runtime are not counted")


def test_a_length_that_the_file_refuses(wave_BS: np.ndarray, tmp_path: Path) -> None:
    network = network_of(write_onnx(tmp_path / "e.onnx"), 9000)
    with pytest.raises(UserError, match=r"encoder: e\.onnx refuses waves of 100 samples \("):
        embedded(network, wave_BS[:, :100])


def test_a_clip_of_which_the_file_gives_no_frames(wave_BS: np.ndarray, tmp_path: Path) -> None:
    network = network_of(write_frames_after(tmp_path / "e.onnx", 100), 9000, output="later")
    assert np.isfinite(embedded(network, wave_BS)).all()
    with pytest.raises(UserError) as caught:
        embedded(network, wave_BS[:, :4000])
    assert str(caught.value) == (
        "encoder: e.onnx: gives no features for waves of 4000 samples, which are too short for it"
    )


def test_a_file_whose_width_depends_on_the_length(wave_BS: np.ndarray, tmp_path: Path) -> None:
    import onnx

    path = write_onnx(tmp_path / "e.onnx")
    model = onnx.load(str(path))
    model.graph.node.append(onnx.helper.make_node("Flatten", ["frames_BTN"], ["flat"], axis=1))
    onnx.save(model, str(path))
    encoder = network_of(path, 9000, output="flat").blocks[1]
    assert isinstance(encoder, FileEncoder)
    with pytest.raises(UserError, match=r"features for waves of 9000 samples, and .* set window_seconds in the config"):
        encoder(torch.from_numpy(wave_BS)[:, None, :, None])
