"""Whether two images are one picture: laid on each other block by block, then compared in fine detail.

Images of one organ are alike in outline, of whatever patient. Copies of one picture also agree in its finest details,
all over, once they are laid on each other; two pictures do not. Detail is what remains of an image without its coarse
structure, at equal local contrast, less the mean detail of the dataset (the rim of a fundus, a scanner's frame).

`SecondLook` divides one image into blocks, finds where in the other each correlates best, takes the shift and stretch
that most blocks agree on, undoes them, and averages the correlations of the blocks. Resizing, compression, brightness,
contrast, annotations, small shifts and crops leave that high. What was measured is in `medpeft.data.duplicates`.
"""

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from scipy import fft
from scipy.ndimage import gaussian_filter, maximum_filter

SIDE = 128  # pixels of the images that are compared, or fewer where fewer are stored
COARSE = 1.5  # pixels at `SIDE`, and 1 at least: structure much coarser than this is taken out
LEAST_CONTRAST = 4.0  # grey levels: local contrast below this is noise and is not amplified
BLOCKS = 5  # along each axis
BLOCK, REACH = 24 / 128, 8 / 128  # side of a block, and how far it is looked for, as shares of the image's side
STRETCHES = (-0.06, -0.03, 0.0, 0.03, 0.06)  # of height and of width, which differ by one step at most
LEAST = 0.3  # a lower correlation of blocks where they lie best is no start
TRIMMED = 0.2  # share of the detail that may disagree: annotations
PRIOR = 8  # blank images that count in the mean, so that a picture in a small dataset is not taken out of itself
SAMPLED = 500  # images that the mean is taken over
KEPT = 1000  # images whose details and blocks are kept in memory


class SecondLook:
    """Compares pairs of `images` (N, H, W, 3) uint8 at `SIDE` pixels, or as many as are stored."""

    def __init__(self, images: np.ndarray):
        self.side = min(SIDE, *images.shape[1:3])
        self._block, self._reach = max(8, round(self.side * BLOCK)), max(2, round(self.side * REACH))
        corners = np.linspace(self._reach, self.side - self._reach - self._block, BLOCKS).round().astype(int)
        self._corners = tuple(axis.ravel() for axis in np.meshgrid(corners, corners, indexing="ij"))
        self._centres = tuple(axis + (self._block - self.side) / 2 for axis in self._corners)
        self._places = self._consistent_places()
        sample = images[:: -(-len(images) // SAMPLED)]
        common = sum(map(self._fine, sample)) / np.float32(len(sample) + PRIOR)
        self._detail_of = lru_cache(KEPT)(lambda number: self._fine(images[number]) - common)
        self._blocks_of = lru_cache(KEPT)(lambda number: self._blocks(self._detail_of(number)))

    def similarity(self, first: int, second: int, mirrored: bool) -> float:
        """Return how well two images agree in detail, up to 1; the second is `mirrored` left to right if so told."""
        blocks, other = self._blocks_of(first), self._detail_of(second)
        if mirrored:
            other = np.ascontiguousarray(other[:, ::-1])
        maps, energies = self._correlations(blocks, other)
        best = maximum_filter(maps, size=(1, 3, 3)).reshape(-1)[self._places]
        weights = np.sqrt(blocks[1] * energies)
        votes = best @ weights / max(weights.sum(), 1e-9)
        chosen = int(votes.argmax())
        if votes[chosen] < LEAST:
            return float(votes[chosen])
        laid = self._laid(other, maps, self._places[chosen], weights * best[chosen].clip(0) ** 2)
        maps, energies = self._correlations(blocks, laid)
        reach = slice(self._reach - 1, self._reach + 2)
        # The lesser detail of both: an annotation in one of them hardly counts.
        return _trimmed_mean(maps[:, reach, reach].max((1, 2)), np.sqrt(np.minimum(blocks[1], energies)))

    def _fine(self, image: np.ndarray) -> np.ndarray:
        """Return an image without its coarse structure, at equal local contrast, (side, side) float32."""
        picture = Image.fromarray(image).convert("L")
        if picture.size != (self.side, self.side):
            picture = picture.resize((self.side, self.side), Image.Resampling.BICUBIC)
        grey = np.asarray(picture, dtype=np.float32)
        coarse = max(1.0, COARSE * self.side / SIDE)
        detail = grey - gaussian_filter(grey, coarse)
        return detail / (np.sqrt(gaussian_filter(detail**2, 2 * coarse)) + LEAST_CONTRAST)

    def _windows(self, detail: np.ndarray, margin: int) -> np.ndarray:
        """Return the blocks of a detail with a `margin` around each, (BLOCKS**2, side, side)."""
        width = self._block + 2 * margin
        rows, columns = self._corners
        return sliding_window_view(detail, (width, width))[rows - margin, columns - margin]

    def _blocks(self, detail: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the conjugate spectra and the energies of the blocks of a detail."""
        blocks = self._windows(detail, 0)
        return np.conj(fft.rfft2(blocks, self._spectrum)), (blocks**2).sum((1, 2))

    @property
    def _spectrum(self) -> tuple[int, int]:
        size = fft.next_fast_len(self._block + 2 * self._reach, real=True)
        return size, size

    def _correlations(self, blocks: tuple[np.ndarray, np.ndarray], other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the correlation of each block with each place in reach of it in `other`, and the energies there.

        The correlations are (BLOCKS**2, 2 reach + 1, 2 reach + 1); the energies are those of the blocks' own places.
        """
        windows = self._windows(other, self._reach)
        places = 2 * self._reach + 1
        products = fft.irfft2(blocks[0] * fft.rfft2(windows, self._spectrum), self._spectrum)[:, :places, :places]
        sums = np.zeros((len(windows), windows.shape[1] + 1, windows.shape[2] + 1))
        sums[:, 1:, 1:] = (windows.astype(float) ** 2).cumsum(1).cumsum(2)
        size = self._block
        energies = sums[:, size:, size:] - sums[:, :-size, size:] - sums[:, size:, :-size] + sums[:, :-size, :-size]
        energies = energies.clip(0).astype(np.float32)
        maps = products / np.sqrt(np.maximum(blocks[1][:, None, None] * energies, 1e-3))
        return maps, energies[:, self._reach, self._reach]

    def _consistent_places(self) -> np.ndarray:
        """Return, a row a shift and stretch that stay in reach, where these put each block, in flattened maps."""
        width = 2 * self._reach + 1
        start = np.arange(BLOCKS**2) * width**2
        rows = []
        for stretch in product(STRETCHES, STRETCHES):
            if abs(stretch[0] - stretch[1]) > STRETCHES[1] - STRETCHES[0] + 1e-9:
                continue
            moved = [np.round(share * centre).astype(int) for share, centre in zip(stretch, self._centres, strict=True)]
            free = [self._reach - int(np.abs(move).max()) for move in moved]
            for down, right in product(*(range(-most, most + 1) for most in free)):
                rows.append(start + (moved[0] + down + self._reach) * width + moved[1] + right + self._reach)
        return np.array(rows)

    def _laid(self, other: np.ndarray, maps: np.ndarray, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the detail `other` laid on the first: a line through the shifts of the blocks along each axis.

        Args:
            other: detail of the second image.
            maps: correlations of the blocks of the first with it.
            places: where in `maps`, flattened, shift and stretch put each block; the best of the 3 x 3 there counts.
            weights: of the blocks.
        """
        width = maps.shape[1]
        padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
        number = np.arange(len(maps))
        down, right = np.divmod(places - number * width**2, width)
        around = sliding_window_view(padded, (3, 3), axis=(1, 2))[number, down, right].reshape(len(maps), 9)
        peak = number, down + around.argmax(1) // 3, right + around.argmax(1) % 3
        coefficients: list[float] = []
        for axis in (0, 1):
            shift = peak[axis + 1] + _beyond(padded, peak, axis + 1) - 1 - self._reach
            slope, level = np.polyfit(self._centres[axis], shift, 1, w=np.sqrt(weights) + 1e-9)
            coefficients = [1 + slope, level - slope * self.side / 2, *coefficients]
        across, from_left, along, from_top = coefficients
        matrix = (across, 0.0, from_left, 0.0, along, from_top)
        moved = Image.fromarray(other).transform(other.shape, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
        return np.asarray(moved)


def _beyond(maps: np.ndarray, peak: tuple[np.ndarray, ...], axis: int) -> np.ndarray:
    """Return how far from a `peak` of `maps` along `axis`, up to half a pixel, the parabola through it is highest."""
    before, after = (maps[tuple(place + step * (axis == at) for at, place in enumerate(peak))] for step in (-1, 1))
    bend = np.minimum(before - 2 * maps[peak] + after, -1e-6)
    return ((before - after) / (2 * bend)).clip(-0.5, 0.5)


def _trimmed_mean(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted mean of `values` without the lowest `TRIMMED` of the weight; 0 where there is none."""
    total = float(weights.sum())
    if total <= 0:
        return 0.0
    order = np.argsort(values, kind="stable")
    kept = np.clip(np.cumsum(weights[order] / total) - TRIMMED, 0, weights[order] / total)
    return float((kept * values[order]).sum() / kept.sum())
