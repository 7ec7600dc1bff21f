"""The training loop, its optimiser and its order of images."""
