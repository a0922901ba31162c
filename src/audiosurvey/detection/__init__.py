"""How well events are found in long recordings."""
