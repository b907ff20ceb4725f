"""One fine-tuning with the Trainer of transformers and, for LoRA, peft: what its users write.

    python benchmarks/trainer.py JOB.json RESULT.json

Jobs and images are those of `plain.py`.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from sklearn.metrics import f1_score
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainerCallback, TrainingArguments

from medpeft.methods.layers import split_projections
from medpeft.networks.models import set_training_mode
from plain import EVALUATION_BATCH, WORKERS, adamw, network, pictures, scores


class Classifier(nn.Module):
    """A timm network as the Trainer wants it: keyword arguments in, loss and logits out."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, pixel_values, labels):
        logits = self.network(pixel_values)
        return {"loss": cross_entropy(logits, labels), "logits": logits}

    def train(self, mode: bool = True):
        """Keep the statistics of BatchNorm, as the other contenders do."""
        super().train(mode)
        if mode:
            set_training_mode(self.network)
        return self


class AtEpochs(TrainerCallback):
    """Validate and save after certain epochs only."""

    def __init__(self, epochs: list[int]):
        self.epochs = epochs

    def on_epoch_end(self, args, state, control, **_):
        control.should_evaluate = control.should_save = round(state.epoch) in self.epochs


def classifier(job: dict) -> Classifier:
    """Return the network of a job; LoRA is put into it by peft, on queries and values as the pipeline has it."""
    if job["method"] != "lora":
        return Classifier(network(job, job["method"]))
    model = network(job, "linear_probe")
    split_projections(model)
    targets = LoraConfig(r=16, lora_alpha=16, target_modules=r".*\.qkv\.(q|v)", modules_to_save=["head"])
    return Classifier(get_peft_model(model, targets))


def collate(rows: list) -> dict[str, torch.Tensor]:
    images, labels = zip(*rows, strict=True)
    return {"pixel_values": torch.stack(images), "labels": torch.tensor(labels)}


def arguments(job: dict, folder: str) -> TrainingArguments:
    recipe = job["recipe"]
    return TrainingArguments(
        folder,
        num_train_epochs=job["epochs"],
        per_device_train_batch_size=job["batch_size"],
        per_device_eval_batch_size=EVALUATION_BATCH,
        lr_scheduler_type="cosine",
        warmup_steps=recipe["warmup"],
        max_grad_norm=0.0,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        save_only_model=True,
        load_best_model_at_end=True,
        metric_for_best_model="f1_micro",
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_num_workers=WORKERS,
        dataloader_pin_memory=False,
        use_cpu=True,
        seed=job["seed"],
        report_to="none",
        logging_strategy="no",
        disable_tqdm=True,
    )


def main(job_file: str, result_file: str) -> None:
    job = json.loads(Path(job_file).read_text())
    torch.set_num_threads(job["recipe"]["threads"])
    data = pictures(job)
    with tempfile.TemporaryDirectory() as folder:
        model = classifier(job)
        trainer = Trainer(
            model,
            arguments(job, folder),
            data_collator=collate,
            train_dataset=data["train"],
            eval_dataset=data["validation"],
            compute_metrics=lambda found: {
                "f1_micro": f1_score(found.label_ids, found.predictions.argmax(1), average="micro")
            },
            callbacks=[AtEpochs(job["validated_epochs"])],
            optimizers=(adamw(model, job, fused=True), None),  # fused, as Trainer's own is
        )
        seconds = trainer.train().metrics["train_runtime"]
    seconds -= sum(row.get("eval_runtime", 0) for row in trainer.state.log_history)
    found = trainer.predict(data["test"])
    result = {"scores": scores(found.label_ids, found.predictions.argmax(1)), "train_seconds": seconds}
    Path(result_file).write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
