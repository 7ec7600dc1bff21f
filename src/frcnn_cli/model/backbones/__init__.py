"""The networks that can stand below Fast R-CNN."""
