"""The configurations of U-Nets that are known without a download, so that their parameters can be counted before any.

Each holds what `unet/config.json` of the diffusion pipeline says where diffusers' defaults say something else.
"""

from typing import Any

UNETS: dict[str, dict[str, Any]] = {
    "stable_diffusion_v1_5": {
        "sample_size": 64,
        "block_out_channels": [320, 640, 1280, 1280],
        "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
        "attention_head_dim": 8,
        "cross_attention_dim": 768,
    }
}
