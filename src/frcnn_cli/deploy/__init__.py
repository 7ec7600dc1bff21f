"""Compression, ONNX export and benchmarks of a trained detector."""
