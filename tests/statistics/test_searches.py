"""Blind searches are told from those that saw something, by the scores of their trials and a floor."""

import numpy as np
import pytest
from scipy.stats import binom

from medpeft.statistics.searches import indistinguishable, is_blind, standard_error


@pytest.mark.parametrize(
    ("scores", "blind"),
    [
        ([0.55] * 5, True),  # all answer the most frequent class
        ([0.55, 0.56, 0.54, 0.55], True),  # one image in a hundred more
        ([0.55, 0.59, np.nan, 0.50], True),  # within one standard error, .0497
        ([0.55, 0.61, 0.54], False),
        ([0.70, 0.72], False),
        ([0.70, 0.70, 0.70], True),  # above the floor, but no rate is better than another
        ([0.70], False),
        ([np.nan, np.nan], False),  # failed, which is told elsewhere
        ([], False),
    ],
)
def test_a_search_is_blind_where_no_trial_is_above_chance_or_all_are_equal(scores, blind):
    assert is_blind(scores, floor=0.55, images=100) is blind


def test_what_only_guesses_is_called_blind_far_more_often_than_what_sees():
    """Five trials that are right on images as often as the floor, or on a fifth more of them."""
    random = np.random.default_rng(0)
    guessing, seeing = (random.binomial(144, share, (500, 5)) / 144 for share in (0.5, 0.7))
    assert np.mean([is_blind(scores, 0.55, 144) for scores in guessing]) > 0.9
    assert np.mean([is_blind(scores, 0.55, 144) for scores in seeing]) == 0


def test_a_floor_of_zero_takes_one_image_to_leave():
    """As that of a correlation has, whose standard error as a share is 0."""
    assert is_blind([0.0, 0.01], floor=0, images=100)
    assert not is_blind([0.0, 0.02], floor=0, images=100)


def test_the_standard_error_is_that_of_a_share():
    assert standard_error(0.7, 77) == pytest.approx(binom(77, 0.7).std() / 77)
    assert standard_error(1.0, 77) == standard_error(-0.1, 77) == 0


def test_rates_within_one_standard_error_of_the_best_are_alike():
    assert indistinguishable([0.75, 0.71, 0.70, np.nan], 100) == 2  # .0433
    assert indistinguishable([0.75, 0.70], 10_000) == 1
    assert indistinguishable([np.nan], 100) == 0
