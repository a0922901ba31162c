"""Model files as encoders: what is read of them, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from encoder_files import FILTERS, write_frames_after, write_onnx

from audiosurvey.model.encoders.file_settings import FileSettings, SettingFault, read_file_settings

pytest.importorskip("onnxruntime")
RATE = 8000


def settings(path: Path, **section: Any) -> FileSettings:
    return read_file_settings({"file": str(path), "sample_rate": RATE, **section})


def refused(path: Path | str, **section: Any) -> tuple[str, str]:
    """The key at fault, and the message without the name of the file."""
    with pytest.raises(SettingFault) as caught:
        read_file_settings({"file": str(path), "sample_rate": RATE, **section})
    return caught.value.key, str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("given", "axes", "samples", "batches"),
    [
        ({"samples": 4000, "batch": None}, 1, 4000, False),
        ({"batch": None}, 1, None, False),
        ({"samples": 4000, "batch": 1}, 2, 4000, False),
        ({"samples": 4000}, 2, 4000, True),
        ({}, 2, None, True),
        ({"samples": 4000, "channel": True}, 3, 4000, True),
        ({"batch": 1, "channel": True}, 3, None, False),
    ],
)
def test_every_shape_of_waves(given: Any, axes: int, samples: int | None, batches: bool, tmp_path: Path) -> None:
    found = settings(write_onnx(tmp_path / "e.onnx", **given))
    assert (found.graph.axes, found.graph.samples, found.graph.batches) == (axes, samples, batches)
    assert found.graph.width == FILTERS
    assert found.window_seconds == (None if samples is None else 0.5)
    # Filters in two phases, the weights of the classifier, and five numbers of the graph.
    assert found.graph.parameters - (2 * FILTERS * 128 + FILTERS * 3) in (5, 6)


def test_the_rate_is_stated_by_the_file_or_the_config(tmp_path: Path) -> None:
    silent = write_onnx(tmp_path / "silent.onnx")
    key, message = refused(silent, sample_rate=None)
    assert key == "sample_rate"
    assert message == (
        "the file does not state its sample rate; set sample_rate in Hz "
        "(BirdNET: 48000, Perch: 32000, YAMNet and VGGish: 16000)"
    )
    for name in ("sample_rate", "Sampling_Rate"):
        path = write_onnx(tmp_path / "told.onnx", metadata={name: "16000", "author": "us"})
        assert read_file_settings({"file": str(path)}).sample_rate == 16_000
    assert refused(path) == ("sample_rate", f"8000, but {path} states 16000 Hz; leave sample_rate out")
    odd = write_onnx(tmp_path / "odd.onnx", metadata={"sample_rate": "fast"})
    assert refused(odd, sample_rate=None)[0] == "sample_rate"
    assert refused(silent, sample_rate="48k")[1] == "'48k': not a sample rate in Hz, such as 48000"


def test_the_window_is_that_of_the_file(tmp_path: Path) -> None:
    fixed, free = write_onnx(tmp_path / "fixed.onnx", samples=4000), write_onnx(tmp_path / "free.onnx")
    assert settings(fixed, window_seconds=0.5).graph.samples == 4000
    assert refused(fixed, window_seconds=3) == (
        "window_seconds",
        f"3, but {fixed} takes windows of 4000 samples, 0.5 s at 8000 Hz; leave it out",
    )
    assert settings(free, window_seconds=0.25).graph.samples == 2000
    assert settings(free).graph.samples is None
    # 100 samples are less than the filters of the file.
    key, message = refused(free, window_seconds=0.0125)
    assert key == "output"
    assert message.startswith("does not run on noise of 0.0125 s (")


def test_outputs_by_name_and_inner_tensors(tmp_path: Path) -> None:
    two = write_onnx(tmp_path / "two.onnx", outputs=("scores", "embedding"), samples=4000)
    assert refused(two) == ("output", "the file has 2 outputs; name one: scores (?, 3), embedding")
    assert settings(two, output="embedding").graph.width == FILTERS
    assert settings(two, output="scores").graph.width == 3
    one = write_onnx(tmp_path / "one.onnx", outputs=("scores",), samples=4000)
    assert (settings(one).graph.output, settings(one).graph.width) == ("scores", 3)
    assert settings(one, output="pooled").graph.width == FILTERS
    key, message = refused(one, output="poled")
    assert key == "output"
    assert message.startswith("the file has no tensor 'poled'; did you mean pooled?; outputs: scores (?, 3); the last ")
    assert "frames_BTN (?, 61, 24), pooled (?, 24)" in message
    assert refused(one, output="wave")[0] == "output"


def test_frames_are_pooled_and_maps_are_not(tmp_path: Path) -> None:
    frames = write_onnx(tmp_path / "frames.onnx", frames=True, batch=None)
    assert settings(frames).graph.width == FILTERS
    model = onnx.load(str(write_onnx(tmp_path / "map.onnx", samples=4000)))
    model.graph.node.append(onnx.helper.make_node("Concat", ["stacked", "stacked"], ["map"], axis=1))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "second"))
    model.graph.node.insert(-1, onnx.helper.make_node("Unsqueeze", ["log", "second"], ["stacked"]))
    onnx.save(model, str(tmp_path / "map.onnx"))
    assert refused(tmp_path / "map.onnx", output="map") == (
        "output",
        "its tensor map gives maps (1, 2, 24, 61), not features or frames of features; take a tensor after the pooling",
    )


def test_what_is_no_encoder(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.onnx") == ("file", "no such file (relative to the working directory)")
    write_onnx(tmp_path / "encoder.onnx")
    assert refused(tmp_path / "none.onnx") == ("file", f"no such file; model files there: {tmp_path}/encoder.onnx")
    for name in ("a.onnx", "b.onnx", "c.onnx"):
        write_onnx(tmp_path / name)
    assert refused(tmp_path / "encodr.onnx") == ("file", f"no such file; did you mean {tmp_path}/encoder.onnx?")
    assert refused(tmp_path / "model.pt")[1] == "expected a file whose name ends in .onnx or .tflite"
    (tmp_path / "text.onnx").write_text("no model at all")
    assert refused(tmp_path / "text.onnx")[1].startswith("cannot be read as an ONNX file (")
    (tmp_path / "empty.onnx").write_bytes(b"")
    assert refused(tmp_path / "empty.onnx")[1] == "is empty; copy it again"
    (tmp_path / "folder.onnx").mkdir()
    assert refused(tmp_path / "folder.onnx")[1].startswith("cannot be read (")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes((tmp_path / "encoder.onnx").read_bytes()[:-200])
    assert refused(cut)[1].startswith("cannot be read as an ONNX file (")


def test_inputs_that_are_no_waveform(tmp_path: Path) -> None:
    path = tmp_path / "e.onnx"
    assert refused(write_onnx(path, inputs=2, outputs=("unused",)))[1] == (
        "takes 2 inputs (wave (?, ?), state (1, 3)); an encoder takes one, the waveform"
    )
    assert refused(write_onnx(path, kind=onnx.TensorProto.INT16))[1] == (
        "its input wave is of type int16; an encoder takes waves of floats"
    )
    assert refused(write_onnx(path, batch=4))[1] == (
        "its input wave (4, ?) is a batch of 4; write the file anew for a batch of 1"
    )
    for shape in ([1, 1, 96, 64], [1, 96, 64]):
        model = onnx.load(str(write_onnx(path)))
        model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("mel", onnx.TensorProto.FLOAT, shape))
        onnx.save(model, str(path))
        key, message = refused(path)
        assert key == "file"
        assert message.startswith(
            f"its input mel ({', '.join(map(str, shape))}) is a spectrogram, not a waveform; use a"
        )
    model = onnx.load(str(write_onnx(path)))
    model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("mel", onnx.TensorProto.FLOAT, ["frames", 128]))
    onnx.save(model, str(path))
    assert refused(path)[1].startswith(
        "its input mel (?, 128) takes 128 numbers, a frame of a spectrogram rather than a waveform; use a file that"
    )
    assert settings(write_onnx(path, kind=onnx.TensorProto.DOUBLE)).graph.width == FILTERS


def test_features_that_differ_each_time_are_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "e.onnx")
    model = onnx.load(str(path))
    model.graph.node.append(onnx.helper.make_node("RandomNormalLike", ["pooled"], ["random"]))
    model.graph.node.append(onnx.helper.make_node("Add", ["pooled", "random"], ["dropped"]))
    onnx.save(model, str(path))
    assert refused(path, output="dropped") == (
        "output",
        "its tensor dropped differs each time for the same wave; write the file anew for inference, without dropout",
    )
    assert settings(path, output="pooled").graph.width == FILTERS


def test_windows_that_are_too_short(tmp_path: Path) -> None:
    path = write_frames_after(tmp_path / "e.onnx", 50)
    assert settings(path, output="later").graph.width == FILTERS
    assert refused(path, output="later", window_seconds=0.25) == (
        "output",
        "its tensor later gives no features for waves of 2000 samples, which are too short for it",
    )


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "e.onnx")
    onnx.save(onnx.load(str(path)), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert refused(path) == ("file", "loads weights from other files; write it anew with all weights in the one file")


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_onnx(tmp_path / "e.onnx")
    monkeypatch.setattr("audiosurvey.extras.find_spec", lambda name: None)
    assert refused(path) == ("file", "onnx, onnxruntime: not installed; pip install 'audiosurvey[onnx]'")
    (tmp_path / "e.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    assert refused(tmp_path / "e.tflite") == (
        "file",
        "ai_edge_litert: not installed; pip install 'audiosurvey[litert]'",
    )
