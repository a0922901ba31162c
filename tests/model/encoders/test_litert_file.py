"""LiteRT files as encoders: outputs and inner tensors equal to the interpreter's, metadata, damaged files."""

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_files import FILTERS, embeddings_of, write_litert

from audiosurvey.errors import UserError
from audiosurvey.model.encoders.file_settings import SettingFault, read_file_settings
from audiosurvey.model.encoders.litert_file import LiteRTFile

pytest.importorskip("ai_edge_litert")
flatbuffers = pytest.importorskip("flatbuffers")
RATE, SAMPLES = 8000, 4000


@pytest.fixture(scope="module")
def scores_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_litert(tmp_path_factory.mktemp("litert") / "scores.tflite", SAMPLES)


@pytest.fixture
def wave_S() -> np.ndarray:
    return (0.2 * np.random.default_rng(3).standard_normal(SAMPLES)).astype(np.float32)


def inner_name(path: Path) -> str:
    """The tensor before the last layer: the last one of so many features."""
    shapes = [(one.name, one.shape) for one in LiteRTFile(path.read_bytes()).inner()]
    return [name for name, shape in shapes if shape == (1, FILTERS)][-1]


def test_an_inner_tensor_is_computed_like_an_output(scores_only: Path, wave_S: np.ndarray) -> None:
    name = inner_name(scores_only)
    found = read_file_settings({"file": str(scores_only), "output": name, "sample_rate": RATE})
    assert (found.graph.width, found.graph.samples, found.graph.axes) == (FILTERS, SAMPLES, 2)
    assert found.graph.parameters >= 2 * FILTERS * 128 + FILTERS * 3
    for threads in (1, 2):
        run = LiteRTFile(scores_only.read_bytes()).runner(name, threads)
        for scale in (1.0, 0.1):
            given = wave_S * np.float32(scale)
            np.testing.assert_allclose(run(given[None])[0], embeddings_of(given).mean(axis=0), atol=1e-3)


def test_scores_are_those_of_the_interpreter(scores_only: Path, wave_S: np.ndarray) -> None:
    from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingImports]

    interpreter = Interpreter(model_path=str(scores_only))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], wave_S[None])
    interpreter.invoke()
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    file = LiteRTFile(scores_only.read_bytes())
    np.testing.assert_allclose(file.runner(file.find(None), 1)(wave_S[None]), expected, atol=1e-5)


def test_several_outputs_are_named(tmp_path: Path) -> None:
    path = write_litert(tmp_path / "two.tflite", SAMPLES, two=True)
    with pytest.raises(SettingFault, match=r"the file has 2 outputs; name one: \S+ \(1, 3\), \S+ \(1, 24\)"):
        read_file_settings({"file": str(path), "sample_rate": RATE})
    with pytest.raises(SettingFault, match=r"no tensor 'nothing'; outputs: .*; the last tensors before them: "):
        read_file_settings({"file": str(path), "sample_rate": RATE, "output": "nothing"})


def test_damaged_files_are_one_line(scores_only: Path) -> None:
    content = scores_only.read_bytes()
    rng = np.random.default_rng(0)
    for cut in (8, 40, 400, len(content) // 2):
        with pytest.raises(UserError, match="cannot be read as a LiteRT file"):
            LiteRTFile(content[:cut])
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(8, len(content), 20):
            damaged[place] = rng.integers(256)
        # Whatever is wrong, there is no other kind of error.
        with contextlib.suppress(UserError):
            LiteRTFile(bytes(damaged))


def test_the_rate_in_the_archive_of_an_exported_file(scores_only: Path, tmp_path: Path) -> None:
    assert LiteRTFile(scores_only.read_bytes()).sample_rate is None
    path = tmp_path / "told.tflite"
    path.write_bytes(scores_only.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("audiosurvey.json", json.dumps({"sample_rate": 22_050}))
    assert LiteRTFile(path.read_bytes()).sample_rate == 22_050


def table(builder: Any, fields: dict[int, Any]) -> int:
    """A table with offsets (int) or scalars ((kind, value)) in these fields."""
    builder.StartObject(max(fields, default=0) + 1)
    for slot, value in fields.items():
        if isinstance(value, tuple):
            getattr(builder, f"Prepend{value[0]}Slot")(slot, value[1], 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    return builder.EndObject()


def vector(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def metadata(rate: int, kind: int = 4) -> bytes:
    """TFLite Metadata of one input of audio at this rate, as metadata_schema.fbs has it."""
    builder = flatbuffers.Builder(0)
    audio = table(builder, {0: ("Uint32", rate), 1: ("Uint32", 1)})
    content = table(builder, {0: ("Uint8", kind), 1: audio})
    tensor = table(builder, {3: content})
    graph = table(builder, {2: vector(builder, [tensor])})
    builder.Finish(table(builder, {3: vector(builder, [graph])}), b"M001")
    return bytes(builder.Output())


@pytest.mark.parametrize(("kind", "rate", "found"), [(4, 16_000, 16_000), (1, 16_000, None), (4, 0, None)])
def test_the_rate_in_metadata(kind: int, rate: int, found: int | None) -> None:
    """A file with one float input and output, and the metadata."""
    builder = flatbuffers.Builder(0)
    stored = builder.CreateByteVector(metadata(rate, kind))
    buffers = vector(builder, [table(builder, {}), table(builder, {0: stored})])
    entry = table(builder, {0: builder.CreateString("TFLITE_METADATA"), 1: ("Uint32", 1)})
    entries = vector(builder, [entry])
    tensors = []
    for name in ("wave", "features"):
        shape = builder.CreateNumpyVector(np.array([1, 100], np.int32))
        tensors.append(table(builder, {0: shape, 3: builder.CreateString(name)}))
    given, taken = (builder.CreateNumpyVector(np.array([index], np.int32)) for index in (0, 1))
    graph = table(builder, {0: vector(builder, tensors), 1: given, 2: taken})
    graphs = vector(builder, [graph])
    builder.Finish(table(builder, {2: graphs, 4: buffers, 6: entries}), b"TFL3")
    file = LiteRTFile(bytes(builder.Output()))
    assert (file.sample_rate, [one.text() for one in file.inputs]) == (found, ["wave (1, 100)"])
