"""Pre-training of the small transformer of `backbones` on crops of a few public pictures.

There are two recipes. One distils EfficientNet-Lite0's pooled features on random crops: Asano & Saeed 2021 (arXiv
2112.00725) show that crops of a single picture suffice to hand on what a network trained on ImageNet knows. The other
is masked autoencoding (He et al. 2022, arXiv 2111.06377), which needs no teacher.
"""

import hashlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from timm.layers import Attention
from timm.models import EfficientNet, VisionTransformer
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from torchvision.transforms import v2

from medpeft.data.augmentation import DEVIATION, MEAN
from medpeft.networks.models import architecture
from medpeft.networks.pretrained import pooled_features, pretrained
from medpeft.training.schedule import warmup_cosine

TEACHER = "efficientnet_lite0"  # of the small transformer
SIZE = 64  # pixels of a crop
# The pictures that come with scikit-image itself, texts and diagrams left out.
PICTURES = [
    *("astronaut", "brick", "camera", "cat", "cell", "clock", "coffee", "coins", "colorwheel", "grass", "gravel"),
    *("hubble_deep_field", "immunohistochemistry", "microaneurysms", "moon", "retina", "rocket"),
]
WEIGHT_DECAY = 0.05
WARMUP = 0.05
MASKED = 0.75  # share of the patches that masked autoencoding hides


class Crops(IterableDataset[Tensor]):
    """Endless augmented crops of `pictures`, uint8 (3, H, W) each, as float32 (3, SIZE, SIZE), normalised."""

    def __init__(self, pictures: list[Tensor]):
        self.pictures = pictures
        self.augment = v2.Compose(
            [
                v2.RandomResizedCrop(SIZE, scale=(0.003, 1), antialias=True),
                v2.RandomHorizontalFlip(),
                v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.05)]),
                v2.RandomGrayscale(0.2),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, DEVIATION),
            ]
        )

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield self.augment(self.pictures[int(torch.randint(len(self.pictures), ()))])


class Distillation(nn.Module):
    """The loss of a student that predicts, by a linear map, the teacher's pooled features.

    These are centred over the batch. All are divided by the same number, their mean deviation, so that a feature that
    varies more counts for more. Standardised one by one they taught less: by the measure of `appraise` on BUSI, .71
    after 100,000 crops against .72 after 40,000.
    """

    def __init__(self, encoder: VisionTransformer, teacher: EfficientNet):
        super().__init__()
        self.encoder = encoder
        self.teacher = teacher.requires_grad_(False).eval()
        self.predictor = nn.Linear(encoder.num_features, teacher.num_features)

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            target = pooled_features(self.teacher, images).float()
            target = (target - target.mean(0)) / target.std(0).mean()
        return functional.mse_loss(self.predictor(pooled_features(self.encoder, images)).float(), target)


class MaskedAutoencoder(nn.Module):
    """The loss of an autoencoder that sees a quarter of the patches and paints the others, each standardised."""

    def __init__(self, encoder: VisionTransformer, width: int = 64, depth: int = 2):
        super().__init__()
        self.encoder = encoder
        self.patch = encoder.patch_embed.patch_size[0]
        self.embed = nn.Linear(encoder.num_features, width)
        self.masked = nn.Parameter(torch.zeros(width))
        self.position = nn.Parameter(0.02 * torch.randn(encoder.patch_embed.num_patches, width))
        self.decoder = nn.Sequential(*(Block(width, num_heads=4) for _ in range(depth)), nn.LayerNorm(width))
        self.paint = nn.Linear(width, 3 * self.patch**2)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.encoder.patch_embed(images) + self.encoder.pos_embed
        order = torch.rand(tokens.shape[:2]).argsort(1)
        seen, hidden = order.tensor_split([round((1 - MASKED) * order.shape[1])], dim=1)
        visible = self.embed(self.encoder.fc_norm(self.encoder.blocks(_pick(tokens, seen))))
        canvas = self.masked.to(visible.dtype).expand(*order.shape, -1)
        canvas = canvas.scatter(1, seen[..., None].expand_as(visible), visible)
        painted = self.paint(self.decoder(canvas + self.position))
        patches = functional.unfold(images, self.patch, stride=self.patch).mT
        target = functional.layer_norm(patches, patches.shape[2:])
        return functional.mse_loss(_pick(painted, hidden), _pick(target, hidden))


def _pick(tokens: Tensor, places: Tensor) -> Tensor:
    """Return those of `tokens` (N, L, C) that stand at `places` (N, K)."""
    return tokens.gather(1, places[..., None].expand(-1, -1, tokens.shape[2]))


def load_pictures() -> tuple[list[Tensor], str]:
    """Return scikit-image's pictures, uint8 (3, H, W) each, and the SHA-256 of their pixels."""
    from skimage import data

    pictures, digest = [], hashlib.sha256()
    for name in PICTURES:
        pixels = getattr(data, name)()
        pixels = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        digest.update(pixels.tobytes())
        pictures.append(torch.from_numpy(pixels[..., :3].copy()).permute(2, 0, 1))
    return pictures, digest.hexdigest()


def pretrain(
    backbone: str, teacher_weights: Path, crops: int, batch_size: int, learning_rate: float, seed: int
) -> tuple[dict[str, Tensor], dict]:
    """Return the half-precision weights of `backbone`, whose tag says how it is pretrained, and the facts about them.

    AdamW with warm-up and a cosine sees `crops` new crops once each.

    Returns:
        The weights by name, and the facts: the recipe, the SHA-256 of the pictures' pixels, the mean loss over the
        last twentieth of the steps, and the seconds it took.
    """
    torch.manual_seed(seed)
    encoder = architecture(backbone)
    objective: nn.Module
    if backbone.endswith(".distilled"):
        objective = Distillation(encoder, pretrained(TEACHER, teacher_weights))
    else:
        objective = MaskedAutoencoder(encoder)
    pictures, digest = load_pictures()
    started = time.monotonic()
    losses = _train(objective, pictures, crops // batch_size, batch_size, learning_rate)
    state = {name: tensor.half().contiguous() for name, tensor in encoder.state_dict().items()}
    return state, {
        "backbone": backbone,
        "pictures": PICTURES,
        "pictures_sha256": digest,
        "crops": crops,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "loss": float(np.mean(losses[-max(1, len(losses) // 20) :])),
        "seconds": round(time.monotonic() - started),
    }


def _train(
    objective: nn.Module, pictures: list[Tensor], steps: int, batch_size: int, learning_rate: float
) -> list[float]:
    """Train `objective`, in place, and return the loss of every step."""
    trainable = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trainable, lr=learning_rate, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = warmup_cosine(steps, WARMUP)
    losses: list[float] = []
    objective.to(memory_format=torch.channels_last)
    for module in objective.modules():
        if isinstance(module, Attention):
            module.fused_attn = False  # on a CPU twice as fast in half precision as the fused one
    batches = iter(DataLoader(Crops(pictures), batch_size, num_workers=1))
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * schedule(step)
        with torch.autocast("cpu", torch.bfloat16):
            loss = objective(next(batches).contiguous(memory_format=torch.channels_last))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if step % 100 == 99:
            logging.info("step %d of %d, loss %.4f", step + 1, steps, np.mean(losses[-100:]))
    return losses
