"""AdaptFormer: a bottleneck beside each MLP of a transformer (Chen et al. 2022, arXiv 2205.13535).

A block's output x + MLP(LN(x)) becomes x + MLP(LN(x)) + s * Up(Dropout(ReLU(Down(x)))), where x is what the block's
second norm takes. The adapter is that of the authors' code for images (github.com/ShoufaChen/AdaptFormer): no norm of
its own, bottleneck 64, s = 0.1, dropout of 0.1, Up zero at the start. What else they do is no part of the adapter, and
differs: they put a BatchNorm without weights before the head, as for linear probing, and take SGD at a base rate of 0.1
without decay. Here head, optimiser and search are those of every other method.

Dutt et al. print a tenth of these parameters in their table 6 but about as many in their figure 3.
"""

from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import dropout

from medpeft.base.errors import UserError
from medpeft.methods.registry import method

BOTTLENECK = 64
SCALE = 0.1
DROPOUT = 0.1

TRAINS = "a bottleneck beside each MLP of a transformer"


class ParallelAdapter(nn.Module):
    """s * Up(Dropout(ReLU(Down(x)))) for x of shape (N, tokens, width); zero at the start."""

    def __init__(self, width: int):
        super().__init__()
        self.down = nn.Linear(width, BOTTLENECK)
        self.up = nn.Linear(BOTTLENECK, width)
        nn.init.kaiming_uniform_(self.down.weight, a=5**0.5)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to the output of the block."""
        return SCALE * self.up(dropout(self.down(x).relu(), DROPOUT, self.training))


@method("adaptformer", "AdaptFormer", family="additive", encoders={"vit"}, source="arXiv 2205.13535", trains=TRAINS)
def adaptformer(model: VisionTransformer) -> None:
    """Add a bottleneck beside each MLP of a frozen timm ViT, in place; the network starts unchanged.

    Raises:
        UserError: A block is not built as x + MLP(LN(x)), such as one that normalises what its MLP gives.
    """
    if not all(isinstance(block, Block) for block in model.blocks):
        raise UserError(
            f"AdaptFormer is defined beside an MLP behind a norm, and a {type(model.blocks[0]).__name__} has none: "
            "take the pair out of the study's experiments"
        )
    seen: list[Tensor] = []
    # Memory may run out between norm and block: what the norm saw then must not stay beside the next, smaller try.
    model.register_forward_pre_hook(lambda *_: seen.clear())
    for block in model.blocks:
        _add(block, ParallelAdapter(block.norm2.normalized_shape[0]), seen)


def _add(block: Block, adapter: ParallelAdapter, seen: list[Tensor]) -> None:
    """Let `adapter` see, by way of `seen`, what the second norm of `block` takes, and add to what the block gives."""
    block.adaptformer = adapter
    block.norm2.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    block.register_forward_hook(lambda _, __, output: output + adapter(seen.pop()))
