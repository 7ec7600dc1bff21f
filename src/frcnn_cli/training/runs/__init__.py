"""Training runs: folder, checkpoints, metrics, resuming."""
