"""Operations on mel spectrograms."""
