"""Operations on the mel filter bank, between the power spectrum and its compression."""
