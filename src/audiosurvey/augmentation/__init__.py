"""What is done to training clips, drawn for each clip from its own random stream."""
