"""The training step: forward, losses, backward, optimizer."""
