"""Fast R-CNN on torch alone: no disk, no command line."""
