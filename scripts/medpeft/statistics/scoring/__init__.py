"""How predictions are scored: the tables of runs read, thresholds and temperature, and the functions of the metrics."""
