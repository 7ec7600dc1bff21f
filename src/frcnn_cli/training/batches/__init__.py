"""Samples of a split to the batches of a training step."""
