"""Inference and training faster, with the numbers that `model` computes."""
