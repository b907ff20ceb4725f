"""The study, what every stage shares, where results come from, and whether they still belong."""
