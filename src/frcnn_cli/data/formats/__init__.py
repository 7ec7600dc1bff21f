"""Readers of VOC, COCO and YOLO data sets."""
