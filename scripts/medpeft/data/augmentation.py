"""From stored images to network input, a batch at a time: crops, flips and normalisation."""

import torch
from torch import Generator, Tensor
from torch.nn import functional

MEAN = (0.485, 0.456, 0.406)  # of ImageNet; the published study's for every backbone, however it was pretrained
DEVIATION = (0.229, 0.224, 0.225)
ASPECT = (3 / 4, 4 / 3)  # of width to height, as in Szegedy et al. 2015 and timm

FEATURE_DIMENSIONS = 2  # dimensions of a batch that has been through the backbone


def training_batch(
    images: Tensor, size: int, scale: tuple[float, float], generator: Generator, horizontal_flip: bool = True
) -> Tensor:
    """Return randomly cropped, resized, mirrored and normalised images, float32 (N, 3, size, size).

    Each image gets its own crop at a log-uniform aspect ratio.

    Args:
        images: uint8 (N, H, H, 3). Features of images, float32 (N, width), are returned as they are.
        size: Side of the result in pixels.
        scale: The share of the area that a crop covers is drawn between these two.
        generator: On the CPU; all draws come from it.
        horizontal_flip: Whether images are mirrored left to right half the time. Crops are the same with and without.

    Source:
        Szegedy et al. 2015, arXiv 1409.4842.
    """
    if images.ndim == FEATURE_DIMENSIONS:
        return images
    count = len(images)
    area, aspect, x, y, flip = torch.rand(5, count, generator=generator)
    area = scale[0] + (scale[1] - scale[0]) * area
    low, high = torch.tensor(ASPECT).log()
    root = torch.exp((low + (high - low) * aspect) / 2)
    width, height = (area.sqrt() * root).clamp(max=1), (area.sqrt() / root).clamp(max=1)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = torch.where(flip < 0.5, -width, width) if horizontal_flip else width
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (1 - width) * (2 * x - 1)
    theta[:, 1, 2] = (1 - height) * (2 * y - 1)
    grid = functional.affine_grid(theta, [count, 3, size, size], align_corners=False).to(images.device)
    return functional.grid_sample(normalise(images), grid, padding_mode="reflection", align_corners=False)


def evaluation_batch(images: Tensor, size: int) -> Tensor:
    """Return the normalised centre crops, float32 (N, 3, size, size), of uint8 images (N, H, H, 3).

    Features of images, float32 (N, width), are returned as they are.
    """
    if images.ndim == FEATURE_DIMENSIONS:
        return images
    start = (images.shape[1] - size) // 2
    return normalise(images[:, start : start + size, start : start + size])


def normalise(images: Tensor) -> Tensor:
    """Return uint8 images (N, H, W, 3) as float32 (N, 3, H, W) with ImageNet's mean and deviation taken out."""
    mean, deviation = (torch.tensor(values, device=images.device) for values in (MEAN, DEVIATION))
    return ((images / 255 - mean) / deviation).permute(0, 3, 1, 2)
