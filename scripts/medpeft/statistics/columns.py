"""What artefacts know of results without the code that makes them: columns of tables, and the usual primary metric."""

from medpeft.base.runs import CELL

# Of `classwise`:
SCORE_COLUMNS = [*CELL, "class", "metric", "n_runs", "mean", "std", "low", "high"]
CONFUSION_COLUMNS = [*CELL, "label", "predicted", "images", "share"]
CURVE_COLUMNS = [*CELL, "curve", "class", "x", "y"]
RELIABILITY_COLUMNS = [*CELL, "probabilities", "bin", "confidence", "accuracy", "share"]
# Of `floor`:
FLOOR_COLUMNS = ["dataset", "metric", "score", "majority"]
PRIMARY = "f1_micro"  # the metric that chooses, ranks and decides where a study names no other
