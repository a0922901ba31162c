"""Models behind HTTP: the API of `audiosurvey serve`, and what it shares with the web demo."""
