"""One fine-tuning as users write it: files decoded by a DataLoader, torchvision transforms, a plain loop.

    python benchmarks/plain.py JOB.json RESULT.json

`JOB.json` is what `benchmark.py` writes of a run. The network is the pipeline's, so that the methods are the same;
images, augmentation, loop and scores are this file's own.
"""

import json
import math
import sys
import time
from pathlib import Path

import torch
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from medpeft.methods.registry import load
from medpeft.networks.models import create, set_training_mode

MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
EVALUATION_BATCH = 64  # as the pipeline has it: 256 take twice as long
WORKERS = 0  # of a DataLoader: with a process a core, a worker takes from its neighbour and costs a start an epoch


class Pictures(Dataset):
    """Image files with their class numbers, decoded when they are asked for."""

    def __init__(self, rows: list[tuple[str, int]], transform):
        self.rows, self.transform = rows, transform

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, label = self.rows[index]
        with Image.open(path) as image:
            return self.transform(image.convert("RGB")), label


def pictures(job: dict) -> dict[str, Pictures]:
    """Return the parts train, validation and test of a job."""
    size = job["recipe"]["image_size"]
    tensor = [transforms.ToTensor(), transforms.Normalize(MEAN, DEVIATION)]
    crop = transforms.RandomResizedCrop(size, scale=tuple(job["recipe"]["crop_scale"]))
    training = transforms.Compose([crop, transforms.RandomHorizontalFlip(), *tensor])
    evaluation = transforms.Compose([transforms.Resize(job["stored_size"]), transforms.CenterCrop(size), *tensor])
    return {part: Pictures(rows, training if part == "train" else evaluation) for part, rows in job["images"].items()}


def network(job: dict, method: str) -> nn.Module:
    """Return the network of a job under `method`, its kernels in the order in which torch makes them."""
    model = create(
        job["backbone"],
        len(job["classes"]),
        Path(job["weights"]),
        load(method),
        job["seed"],
        job["recipe"]["image_size"],
    )
    return model.to(memory_format=torch.contiguous_format)


def scores(truth, predicted) -> dict[str, float]:
    """Return the scores of predicted class numbers."""
    return {
        "accuracy": accuracy_score(truth, predicted),
        "f1_micro": f1_score(truth, predicted, average="micro"),
        "f1_macro": f1_score(truth, predicted, average="macro"),
    }


def adamw(model: nn.Module, job: dict, **options) -> torch.optim.AdamW:
    """Return the optimiser, which lets kernels and matrices decay; `options` are torch's."""
    kernels = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if id(p) in kernels], "weight_decay": job["recipe"]["weight_decay"]},
        {"params": [p for p in trained if id(p) not in kernels], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=job["learning_rate"], **options)


def train(model: nn.Module, data: dict[str, Pictures], job: dict) -> float:
    """Fine-tune `model` in place, leave it as in its best epoch on validation, and return the seconds of training."""
    recipe = job["recipe"]
    loader = DataLoader(data["train"], job["batch_size"], shuffle=True, num_workers=WORKERS)
    optimiser = adamw(model, job)
    steps = job["epochs"] * len(loader)
    warmup = round(recipe["warmup"] * steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _factor(step, warmup, steps))
    best, kept, seconds = (-1.0, 0.0), {}, 0.0
    for epoch in range(1, job["epochs"] + 1):
        started = time.perf_counter()
        set_training_mode(model)
        for images, labels in loader:
            optimiser.zero_grad()
            cross_entropy(model(images), labels).backward()
            optimiser.step()
            schedule.step()
        seconds += time.perf_counter() - started
        if epoch in job["validated_epochs"]:
            logits, labels = predict(model, data["validation"])
            found = f1_score(labels, logits.argmax(1), average="micro"), -float(cross_entropy(logits, labels))
            if found > best:
                best, kept = found, {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(kept)
    return seconds


def _factor(step: int, warmup: int, steps: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2


@torch.inference_mode()
def predict(model: nn.Module, part: Pictures) -> tuple[Tensor, Tensor]:
    """Return logits and class numbers of a part."""
    model.eval()
    batches = [(model(images), labels) for images, labels in DataLoader(part, EVALUATION_BATCH, num_workers=WORKERS)]
    logits, labels = zip(*batches, strict=True)
    return torch.cat(logits), torch.cat(labels)


def main(job_file: str, result_file: str) -> None:
    job = json.loads(Path(job_file).read_text())
    torch.set_num_threads(job["recipe"]["threads"])
    data, model = pictures(job), network(job, job["method"])
    seconds = train(model, data, job)
    logits, labels = predict(model, data["test"])
    result = {"scores": scores(labels, logits.argmax(1)), "train_seconds": seconds}
    Path(result_file).write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
