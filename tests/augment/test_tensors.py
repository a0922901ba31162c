"""Quick lengths have small prime factors and are hardly longer."""

from audiosurvey.augment.tensors import fast_length


def test_lengths_for_the_fft() -> None:
    for at_least in (1, 2, 7, 97, 1025, 150_001, 174_000):
        length = fast_length(at_least)
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        assert rest == 1
        assert length % 16 == 0
        assert at_least <= length <= max(at_least * 1.07, at_least + 128)
