"""Exports of labelling tools, and what `frcnn data` makes of each."""

from support.outcomes import files, layouts, lists, objects, unused

OUTCOMES = objects.OUTCOMES | files.OUTCOMES | layouts.OUTCOMES | lists.OUTCOMES | unused.OUTCOMES
