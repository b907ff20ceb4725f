"""What counts as significant: the adjustment of p-values for their number."""

import pandas as pd
import pytest

from medpeft.statistics.significance import holm


def test_holm_by_hand():
    assert list(holm(pd.Series([0.01, 0.04, 0.03]))) == pytest.approx([0.03, 0.06, 0.06])
