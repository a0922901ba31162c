"""The training step and what it needs: optimizer, schedule, loss, precision, checkpoints."""
