"""Faster inference and training, with the numbers that `model` computes."""
