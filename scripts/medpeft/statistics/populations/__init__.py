"""Scores of other images than all those of the test set: of subgroups, and of other datasets."""
