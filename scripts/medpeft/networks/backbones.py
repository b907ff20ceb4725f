"""A backbone that timm lacks: a vision transformer small enough to be pretrained, and fine-tuned, on a laptop.

Importing this module adds it to timm's registry, under the name `vit_mini_patch8_64` with the tags `distilled` and
`mae` for its two pre-trainings (see `pretrain`).
"""

from typing import Any

from timm.models import VisionTransformer, build_model_with_cfg, generate_default_cfgs, register_model

_ENTRY = {
    "input_size": (3, 64, 64),
    "num_classes": 0,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "first_conv": "patch_embed.proj",
    "classifier": "head",
    "license": "mit",
}
default_cfgs = generate_default_cfgs(
    {"vit_mini_patch8_64.distilled": dict(_ENTRY), "vit_mini_patch8_64.mae": dict(_ENTRY)}
)


@register_model  # type: ignore[untyped-decorator]  # timm has no types that are read
def vit_mini_patch8_64(pretrained: bool = False, **options: Any) -> VisionTransformer:
    """Return a ViT of 64 patches of 8 pixels, width 128, 6 blocks of 4 heads; mean pooling, 1.2 million parameters."""
    shape = {"img_size": 64, "patch_size": 8, "embed_dim": 128, "depth": 6, "num_heads": 4, "num_classes": 0}
    pooling = {"class_token": False, "global_pool": "avg"}
    return build_model_with_cfg(VisionTransformer, "vit_mini_patch8_64", pretrained, **shape | pooling | options)
