"""Windows of a sound: by hand, and the same whether a sound is cut whole, as a stream or by evaluation."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiosurvey.data.audio.windows import cut, even_hop, fill_tail, split_windows, window_at, window_starts


@pytest.mark.parametrize(
    ("length", "window", "starts"),
    [(3, 4, [0]), (4, 4, [0]), (5, 4, [0, 1]), (8, 4, [0, 4]), (9, 4, [0, 2, 5]), (250, 100, [0, 75, 150])],
)
def test_starts_by_hand(length: int, window: int, starts: list[int]):
    assert window_starts(length, window) == starts


def test_padding_by_hand():
    wave_S = np.array([1, 2, 3, 4, 5], np.float32)
    np.testing.assert_array_equal(window_at(wave_S, 3, 4, "zeros"), [4, 5, 0, 0])
    np.testing.assert_array_equal(window_at(wave_S, 2, 7, "repeat"), [3, 4, 5, 3, 4, 5, 3])
    np.testing.assert_array_equal(split_windows(wave_S, 4, "zeros"), [[1, 2, 3, 4], [2, 3, 4, 5]])


def test_how_much_of_a_window_counts_as_sound():
    assert fill_tail(np.full(6, 9.0), 4, "zeros") == 4
    assert fill_tail(np.full(6, 9.0), 4, "repeat") == 6
    assert fill_tail(np.full(6, 9.0), 0, "repeat") == 0


@given(
    length=st.integers(1, 400),
    window=st.integers(1, 90),
    block=st.integers(1, 70),
    pad=st.sampled_from(["zeros", "repeat"]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_stream_is_cut_as_the_whole_sound(length, window, block, pad):
    wave_S = np.arange(1, length + 1, dtype=np.float32)
    blocks = [wave_S[at : at + block] for at in range(0, length, block)]
    streamed = list(cut(blocks, window, even_hop(length, window)))
    assert [start for start, _ in streamed] == window_starts(length, window)
    whole_WS = split_windows(wave_S, window, pad)
    for (_, part_S), row_S in zip(streamed, whole_WS, strict=True):
        np.testing.assert_array_equal(window_at(part_S, 0, window, pad), row_S)
    assert set(whole_WS.ravel()) - {0} == set(wave_S)
