"""Metrics of a run, the table of runs, and what may be concluded from it."""
