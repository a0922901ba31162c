"""Operations on waveforms."""
