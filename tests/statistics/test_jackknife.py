"""The jackknife over groups of images: whole clusters, the variance of a mean exactly, that of FID as simulated."""

import numpy as np
import pytest
from scipy import linalg

from medpeft.generation.likeness import LIKENESS, Likeness
from medpeft.statistics.generated.jackknife import deviations, groups_of, jackknife_table


def test_groups_hold_whole_clusters_and_are_of_nearly_equal_size():
    clusters = np.repeat([f"p{number}" for number in range(60)], np.arange(60) % 5 + 1)
    groups = groups_of(clusters)
    assert set(groups) == set(range(1, 21))
    assert all(len(set(groups[clusters == cluster])) == 1 for cluster in set(clusters))
    assert np.ptp(np.bincount(groups)[1:]) <= 1
    assert (groups == groups_of(clusters)).all()
    assert set(groups_of(["a", "b", "a"])) == {1, 2}  # no more groups than clusters


@pytest.mark.parametrize("count", [60, 63])
def test_the_variance_of_a_mean_is_that_of_the_means_of_groups(count):
    values = np.random.default_rng(0).normal(size=count)
    groups = groups_of(np.arange(count))
    scores = np.array([values[groups != group].mean() for group in range(21)])
    sizes = np.bincount(groups)[1:]
    means = np.array([values[groups == group].mean() for group in range(1, 21)])
    # By hand: the weighted variance of group means about the mean of all, as for clusters that are sampled.
    expected = (sizes / count / 20 / (1 - sizes / count) * (means - values.mean()) ** 2).sum()
    assert (deviations(scores, sizes) ** 2).sum() == pytest.approx(expected)
    other = np.random.default_rng(1).normal(size=count)
    moved = deviations(np.array([other[groups != group].mean() for group in range(21)]), sizes)
    both = deviations(np.array([(values + other)[groups != group].mean() for group in range(21)]), sizes)
    assert both == pytest.approx(deviations(scores, sizes) + moved)  # so covariances are sums of products


def test_a_bias_that_falls_with_the_number_of_images_is_no_variance():
    sizes = np.array([3, 4, 5, 4, 4])
    scores = 100 / (20 - np.array([0, *sizes]))
    assert deviations(scores, sizes) == pytest.approx(np.zeros(5), abs=1e-12)


def test_a_single_group_has_no_variance_that_is_known():
    table = jackknife_table(np.ones((1, 4)), np.ones(9, int), LIKENESS)
    assert table["left_out"].to_list() == [0]
    assert np.isnan(deviations(table["fid"].to_numpy(), table["left_out"].to_numpy()[1:])).all()


@pytest.mark.exhaustive
def test_the_variance_of_fid_is_that_over_samples_of_images():
    """The variance that the jackknife finds, on average, is that of FID over samples, within a fifth."""
    random = np.random.default_rng(0)
    groups = groups_of(np.arange(100))
    sizes = np.bincount(groups)[1:]
    found, variances = [], []
    for _ in range(300):
        generated, real = random.normal(size=(100, 3)), random.normal(0.5, 1.2, size=(100, 3))
        scores = Likeness(generated, real).scores(groups)[:, 0]
        found.append(scores[0])
        variances.append((deviations(scores, sizes) ** 2).sum())
    assert np.mean(variances) == pytest.approx(np.var(found), rel=0.2)


def _fid(first: np.ndarray, second: np.ndarray) -> float:
    """Return FID by the matrix root of scipy, as it is usually written."""
    means, covariances = zip(*((side.mean(0), np.cov(side, rowvar=False)) for side in (first, second)), strict=True)
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    return float(((means[0] - means[1]) ** 2).sum() + np.trace(sum(covariances) - 2 * root))


@pytest.mark.parametrize("channels", [4, 200])
def test_scores_without_a_group_are_those_of_the_other_images(channels):
    random = np.random.default_rng(0)
    generated, real = random.normal(size=(60, channels)), random.normal(0.3, 1.1, size=(60, channels))
    groups = groups_of(np.arange(60) // 2, 6)
    scores = Likeness(generated, real).scores(groups)
    for group in range(7):
        kept = groups != group
        assert scores[group] == pytest.approx(Likeness(generated[kept], real[kept]).scores(np.ones(kept.sum(), int))[0])
    if channels == 4:  # scipy's root of a singular matrix is of no use
        kept = groups != 3
        assert scores[3, 0] == pytest.approx(_fid(generated[kept], real[kept]), rel=1e-6)
