"""Fast R-CNN object detection (Girshick, ICCV 2015) from the command line."""

__version__ = "0.1.0"
