"""Windows of recordings as clips of a table."""

from pathlib import Path

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.data.annotations.windowing import WindowsConfig
from audiosurvey.data.sets.windowed import Extent, Recording, extent, windowed_table
from audiosurvey.data.table import Clip, Table

HOW = WindowsConfig(seconds=2, hop=1)


def recording(name: str, *events: Annotation, source: str | None = None, fold: int | None = None) -> Recording:
    return Recording(Clip(name, Path(name), (), fold=fold, source=source), events)


def table(*recordings: Recording, how: WindowsConfig = HOW, extent: Extent | None = (24500, 8000)) -> Table:
    return windowed_table("raven", Path(), recordings, how, ("given",), lambda path: extent)


def test_a_clip_for_each_window_with_the_labels_of_all_events():
    found = table(recording("a.wav", Annotation("owl", 0, 1.5), Annotation("dog", 1, 2)), recording("b.wav"))
    assert (found.classes, found.multi_label, found.folds) == (("dog", "owl"), True, ())
    assert [(clip.id, clip.labels, clip.start_s, clip.end_s) for clip in found.clips] == [
        ("a.wav#0.000-2.000", (0, 1), 0, 2),
        ("a.wav#1.000-3.000", (0,), 1, 3),
        ("a.wav#1.0625-3.0625", (0,), 1.0625, 3.0625),
        ("b.wav#0.000-2.000", (), 0, 2),
        ("b.wav#1.000-3.000", (), 1, 3),
        ("b.wav#1.0625-3.0625", (), 1.0625, 3.0625),
    ]
    assert found.notes == ("given", "6 windows of 2 s from 2 recordings: 3 with labels, 3 without")


def test_windows_of_a_recording_are_one_source_in_its_fold():
    found = table(recording("a.wav", fold=2), recording("b.wav", source="night 1"))
    assert {(clip.path.name, clip.source, clip.fold) for clip in found.clips} == {
        ("a.wav", "a.wav", 2),
        ("b.wav", "night 1", None),
    }


def test_the_kept_negatives_do_not_depend_on_the_order_of_recordings():
    how = WindowsConfig(seconds=0.1, negatives=0.5)
    one, other = recording("a.wav"), recording("b.wav", Annotation("owl", 1, 2))
    found = table(one, other, how=how)
    assert set(found.clips) == set(table(other, one, how=how).clips)
    assert 30 < len(found.clips) < 50
    assert found.notes[1].endswith("without (0.5 of them were kept)")


def test_a_recording_of_unknown_length_stays_whole(tmp_path: Path):
    found = table(recording("a.wav", Annotation("owl", 1, 2)), extent=None)
    assert [(clip.id, clip.labels, clip.start_s, clip.source) for clip in found.clips] == [
        ("a.wav", (0,), None, "a.wav")
    ]
    (tmp_path / "a.wav").write_bytes(b"no sound")
    assert extent(tmp_path / "a.wav") is None
    assert extent(tmp_path / "missing.wav") is None


def test_events_that_no_window_can_have_are_told():
    late, apart = Annotation("owl", 4, 5), Annotation("dog", 1.5, 2.5)
    *_, beyond, unheard = table(recording("a.wav", late, apart), how=WindowsConfig(seconds=2, min_overlap=0.9)).notes
    assert beyond == (
        "1 event begins after the end of its recording, first a.wav, 'owl' at 4 s of 3.0625 s; check that the table "
        "belongs to the recording"
    )
    assert unheard == "no window has the label owl; lower dataset.windows.min_overlap or dataset.windows.hop"
