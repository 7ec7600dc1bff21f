"""Trained network and images to detections, and the file formats of detections."""
