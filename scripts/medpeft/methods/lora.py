"""LoRA: low-rank updates of the query and value projections (Hu et al. 2022, arXiv 2106.09685), by peft."""

from torch import nn

from medpeft.methods.registry import strategy
from medpeft.peft_tuners import export, insert

RANK = 16  # as published; the scale alpha / rank is 1


@strategy("lora", title="LoRA", family="additive", encoders={"vit"}, source="arXiv 2106.09685; peft", export=export)
def lora(model: nn.Module) -> None:
    """Add peft's LoRA of rank 16 to the query and value projections of a frozen timm ViT, in place."""
    insert(model, "lora", r=RANK, lora_alpha=RANK)
