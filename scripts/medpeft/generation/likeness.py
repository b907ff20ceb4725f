"""How like real images generated ones are, of their features: FID, KID, precision and recall.

They are those of torch-fidelity, computed so that leaving out some images costs little: the products of all features
are computed once.
"""

import numpy as np
import torch
from torch import Tensor

LIKENESS = ("fid", "kid", "precision", "recall")
NEIGHBOURS = 3  # how near an image must be to count as like another one


class Likeness:
    """Generated images beside as many real ones.

    Args:
        generated: Features, float (N, channels).
        real: Those of the real images; row i leaves together with row i of `generated`.
    """

    def __init__(self, generated: np.ndarray, real: np.ndarray):
        self.generated, self.real = (torch.from_numpy(features).double() for features in (generated, real))
        self.within, self.across, self.among = (
            first @ second.T
            for first, second in (
                (self.generated, self.generated),
                (self.generated, self.real),
                (self.real, self.real),
            )
        )

    def scores(self, groups: np.ndarray) -> np.ndarray:
        """Return the scores of all images and without each group, float64 (1 + groups, 4), in the order `LIKENESS`.

        Args:
            groups: The group, from 1, of each image. A single group is never left out.
        """
        count = int(groups.max())
        left_out = [0, *range(1, count + 1)] if count > 1 else [0]
        return np.array([self._of(torch.from_numpy(np.flatnonzero(groups != group))) for group in left_out])

    def _of(self, kept: Tensor) -> list[float]:
        """Return the scores of the images in the rows `kept`."""
        within, across, among = (products[kept][:, kept] for products in (self.within, self.across, self.among))
        return [
            self._fid(kept, within, across, among),
            _kid(within, across, among, self.real.shape[1]),
            *_precision_and_recall(within, across, among),
        ]

    def _fid(self, kept: Tensor, within: Tensor, across: Tensor, among: Tensor) -> float:
        """Return the squared Fréchet distance between normal distributions of the features (Heusel et al. 2017).

        The trace of the root of the product of two covariances is the sum of the singular values of what the centred
        features of one side are on those of the other: a matrix of N x N, or smaller where features are fewer.
        """
        count = len(kept)
        apart = within.mean() + among.mean() - 2 * across.mean()
        spreads = sum(products.trace() - products.sum() / count for products in (within, among))
        if count > self.real.shape[1]:
            first, second = (_reduced(features[kept]) for features in (self.generated, self.real))
            shared = first @ second.T
        else:
            shared = across - across.mean(0) - across.mean(1, keepdim=True) + across.mean()
        return float(apart + (spreads - 2 * torch.linalg.svdvals(shared).sum()) / (count - 1))


def _reduced(features: Tensor) -> Tensor:
    """Return centred features as (channels, channels), with the same products between channels."""
    return torch.linalg.qr(features - features.mean(0), mode="r").R


def _kid(within: Tensor, across: Tensor, among: Tensor, channels: int) -> float:
    """Return the unbiased squared maximum mean discrepancy with a cubic kernel (Binkowski et al. 2018), of all images.

    torch-fidelity takes the mean over random subsets of 1,000 images; of fewer images each subset has all.
    """
    count = len(across)
    first, between, second = ((products / channels + 1) ** 3 for products in (within, across, among))
    sums = sum(kernel.sum() - kernel.trace() for kernel in (first, second))
    return float(sums / (count * (count - 1)) - 2 * between.mean())


def _precision_and_recall(within: Tensor, across: Tensor, among: Tensor) -> tuple[float, float]:
    """Return the shares of generated images among real ones, and of real among generated ones.

    An image is among others if it is no further from one of them than that one's third nearest neighbour is.

    Source:
        Kynkäänniemi et al. 2019 (arXiv 1904.06991).
    """
    own, others = within.diagonal(), among.diagonal()
    between = _distances(own, others, across)
    of_real = _distances(others, others, among).kthvalue(NEIGHBOURS + 1).values
    of_generated = _distances(own, own, within).kthvalue(NEIGHBOURS + 1).values
    precision = (between <= of_real).any(1).double().mean()
    recall = (of_generated >= between.T).any(1).double().mean()
    return float(precision), float(recall)


def _distances(first: Tensor, second: Tensor, products: Tensor) -> Tensor:
    """Return squared distances, float (N, N), of squared lengths and products."""
    return (first[:, None] + second - 2 * products).clamp(min=0)
