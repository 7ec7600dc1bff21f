"""What is worth keeping between commands: region proposals, splits, runs.

Everything lies in one folder, by default `.frcnn`. Entries are written under a temporary name and
renamed, carry their own checksum, and are named by what they were made from, so that a stale or
damaged one is never read.
"""
