"""The cache: region proposals, detections, splits and training runs kept between commands.

Everything lies in one folder, by default `.frcnn`. Entries are written under a temporary name and
renamed, carry their own checksum, and are named by what they were computed from, so that a stale or
damaged one is never read.
"""
