"""Detections in files: what frcnn, COCO, the VOC devkit and YOLO tools read and write.

Each module has a writer, a context manager with `write(image)`, and a reader, which takes what is
`SplitIndex` and returns the detections of each image by image id. Numbers are written to a
hundredth of a pixel and a millionth of a score.
"""
