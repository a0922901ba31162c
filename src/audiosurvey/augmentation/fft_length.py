"""Lengths at which a Fourier transform is quick."""


def fast_length(at_least: int) -> int:
    """The smallest length from `at_least` on that has no prime factor above 5: an FFT of it is quick."""
    best = 1 << (at_least - 1).bit_length()
    five = 1
    while five < best:
        odd = five
        while odd < best:
            twos = -(-at_least // odd)
            best = min(best, odd << (twos - 1).bit_length())
            odd *= 3
        five *= 5
    return best
