"""A folder of class folders: what is a class, what is a clip, and what is told of the rest."""

from pathlib import Path

import pytest

from audiosurvey.data.audio.extensions import AUDIO_EXTENSIONS
from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.layout import read_bare
from audiosurvey.data.sets.folder import class_order, read_folder
from audiosurvey.errors import UserError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_first_level_folders_are_classes_and_deeper_ones_belong_to_them(tmp_path: Path):
    touch(tmp_path, "dog/b.WAV", "dog/park/2019/a.Flac", "cat/a.mp3", "cat/notes.txt", "cat/.hidden.wav", ".git/a.wav")
    touch(tmp_path, "__MACOSX/dog/b.wav", "cat/._a.wav", "readme.md")
    table = read_folder(tmp_path)
    assert table.classes == ("cat", "dog")
    assert [(clip.id, clip.labels) for clip in table.clips] == [
        ("cat/a.mp3", (0,)),
        ("dog/b.WAV", (1,)),
        ("dog/park/2019/a.Flac", (1,)),
    ]
    assert table.clips[2].path == tmp_path / "dog" / "park" / "2019" / "a.Flac"
    assert all(clip.source is None for clip in table.clips)
    assert (table.notes, table.licence, table.official) == ((), None, False)


def test_every_kind_of_file_libsndfile_reads_is_taken(tmp_path: Path):
    kinds = ("wav", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "au", "w64", "caf", "rf64")
    assert {f".{kind}" for kind in kinds} <= AUDIO_EXTENSIONS
    touch(tmp_path, *(f"a/{kind}.{kind}" for kind in kinds), "a/x.csv", "a/x.txt", "a/wav")
    assert len(read_folder(tmp_path).clips) == len(kinds)


def test_formats_of_pyav_are_taken_too(tmp_path: Path):
    kinds = ("m4a", "mp4", "mov", "3gp", "aac", "wma", "webm", "mkv", "avi", "amr")
    touch(tmp_path, *(f"a/{kind}.{kind}" for kind in kinds))
    assert len(read_folder(tmp_path).clips) == len(kinds)


def test_what_is_left_out_is_told(tmp_path: Path):
    touch(tmp_path, "loose.wav", "a/x.wav", "a/y.wv", "b/z.wv", "b/z.APE", "c/readme.txt")
    notes = " / ".join(read_folder(tmp_path).notes)
    assert "1 audio files directly in" in notes
    assert "folders without audio files are not classes: b, c" in notes
    assert "3 files of formats that cannot be read (.ape, .wv)" in notes


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no audio files found; expected one folder per class"),
        (["a/readme.txt"], "no audio files found; expected one folder per class"),
        (["a.wav", "b.wav"], "2 audio files but no class folders; expected one folder per class"),
        (["a/x.ape"], "only .ape files, which cannot be read; convert them to wav or flac"),
        (["x/dog/a.wav", "x/cat/b.wav"], "'x' is the only class; classification needs at least two; its folders"),
        (["train/dog/a.wav", "test/dog/b.wav"], "test/ and train/ look like the sides of a split"),
    ],
)
def test_a_folder_that_is_no_data_set_gets_one_clear_line(tmp_path: Path, files: list[str], message: str):
    touch(tmp_path, *files)
    with pytest.raises(UserError) as caught:
        load_table(DatasetConfig(name="folder", root=tmp_path))
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(f"{tmp_path.as_posix()}: ")
    assert message in caught.value.lines[0]


def test_a_root_that_is_not_there_or_a_file(tmp_path: Path):
    with pytest.raises(UserError, match=r"nowhere: not found; set dataset.root"):
        load_table(DatasetConfig(name="folder", root=tmp_path / "nowhere"))
    touch(tmp_path, "a.wav")
    with pytest.raises(UserError, match=r"a.wav: is a file; expected a folder"):
        load_table(DatasetConfig(name="folder", root=tmp_path / "a.wav"))


def test_one_class_cannot_be_learnt_but_can_be_scored(tmp_path: Path):
    touch(tmp_path, "dog/a.wav", "dog/b.wav")
    config = DatasetConfig(name="folder", root=tmp_path)
    with pytest.raises(UserError, match="'dog' is the only class"):
        load_table(config)
    assert len(load_table(config, divide=False).clips) == 2


def test_links_to_folders_are_followed_without_going_round(tmp_path: Path):
    touch(tmp_path, "elsewhere/a.wav", "root/dog/b.wav")
    try:
        (tmp_path / "root" / "cat").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "elsewhere")
    except OSError:
        pytest.skip("this system makes no links")
    assert [clip.id for clip in read_folder(tmp_path / "root").clips] == ["cat/a.wav", "dog/b.wav"]


def test_names_are_composed_whatever_the_file_system_does(tmp_path: Path):
    touch(tmp_path, "a/u\u0308.wav")
    assert read_folder(tmp_path).clips[0].id == "a/ü.wav"


@pytest.mark.parametrize(
    ("names", "order"),
    [(["b", "a", "C"], ("C", "a", "b")), (["10", "9", "-1"], ("-1", "9", "10")), (["10", "9", "x"], ("10", "9", "x"))],
)
def test_class_order(names: list[str], order: tuple[str, ...]):
    assert class_order(names) == order


@pytest.mark.parametrize(("pattern", "sources"), [(r"^(\w+?)_", ["r1", "r1", "r2"]), (r"r\d", ["r1", "r1", "r2"])])
def test_sources_from_file_names(tmp_path: Path, pattern: str, sources: list[str]):
    touch(tmp_path, "a/r1_1.wav", "a/r1_2.wav", "b/r2_1.wav")
    assert [clip.source for clip in read_folder(tmp_path, pattern).clips] == sources


def test_names_that_do_not_match_are_told(tmp_path: Path):
    touch(tmp_path, "a/r1_1.wav", "a/x.wav")
    table = read_folder(tmp_path, r"^(\w+?)_")
    assert [clip.source for clip in table.clips] == ["r1", None]
    assert "1 file names do not match" in table.notes[0]
    with pytest.raises(UserError, match=r"source_pattern: no file name matches; the first is r1_1.wav"):
        read_folder(tmp_path, "nothing")


def test_folds_are_made_with_recordings_together(tmp_path: Path):
    touch(tmp_path, *(f"{name}/r{name}{n}_{take}.wav" for name in "ab" for n in range(6) for take in range(2)))
    table = load_table(DatasetConfig(name="folder", root=tmp_path, source_pattern="^(.+?)_", num_folds=3))
    assert table.folds == (1, 2, 3)
    assert len({(clip.source, clip.fold) for clip in table.clips}) == 12
    assert any(
        "3 stratified folds were made, keeping clips of one source recording together" in note for note in table.notes
    )


def test_folders_whose_names_differ_in_the_form_of_their_accents_are_one_class(tmp_path: Path):
    touch(tmp_path, "caf\u00e9/a.wav", "cafe\u0301/b.wav", "dog/c.wav")
    table = read_folder(tmp_path, source_pattern="^(.)")
    assert table.classes == ("caf\u00e9", "dog")
    assert [clip.labels for clip in table.clips] == [(0,), (0,), (1,)]
    assert all(clip.path.is_file() for clip in table.clips)
    only = DatasetConfig(name="folder", root=tmp_path, classes=["cafe\u0301", "dog"])
    assert load_table(only, divide=False).classes == ("caf\u00e9", "dog")


@pytest.mark.parametrize("read", [read_folder, read_bare])
def test_files_whose_names_differ_in_the_form_of_their_accents_alone_are_refused(tmp_path: Path, read):
    touch(tmp_path, "caf\u00e9/a.wav", "cafe\u0301/a.wav", "dog/c.wav")
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system has one form of accents")
    with pytest.raises(UserError, match="caf\u00e9/a\\.wav: two files of this name"):
        read(tmp_path)
