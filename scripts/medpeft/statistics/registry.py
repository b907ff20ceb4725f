"""Metrics looked up by name, for training: a new metric makes no finished training stale, an edited one does.

The functions of metrics count among the code of what looks them up (`medpeft.pipeline.code`), and so does the entry of
the metric at hand, which rules give to jobs.
"""

import ast
from pathlib import Path
from typing import Any

from medpeft.statistics import columns, metrics

PRIMARY = columns.PRIMARY


def metric(name: str) -> Any:
    """Return the metric `name`, a `medpeft.statistics.metrics.Metric`."""
    return metrics.METRICS[name]


def entry(name: str) -> str:
    """Return the source of the entry of the metric `name` in its registry, whatever its layout."""
    tree = ast.parse(Path(metrics.__file__).read_text(encoding="utf-8"))
    found = (
        value
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and ast.unparse(node.target) == "METRICS"
        and isinstance(node.value, ast.Dict)
        for key, value in zip(node.value.keys, node.value.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == name
    )
    return ast.unparse(next(found))
