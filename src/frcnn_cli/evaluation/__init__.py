"""Scoring of detections against ground truth, and the files that carry both."""
