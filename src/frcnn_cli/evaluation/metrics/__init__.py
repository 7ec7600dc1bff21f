"""VOC and COCO average precision, recall, and the matching below them."""
