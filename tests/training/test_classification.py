"""The training loop: its schedule, its choice of epoch, its resumption and its failures."""

from dataclasses import replace

import pytest
import timm
import torch
from sklearn.metrics import roc_auc_score

from medpeft.base.errors import RunFailed, UserError
from medpeft.methods import registry
from medpeft.networks.cpu_kernels import hasten
from medpeft.networks.models import create
from medpeft.training.classification import fit, predict
from medpeft.training.loop import parameter_groups
from medpeft.training.schedule import warmup_cosine


@pytest.fixture
def model(lite0):
    return create("efficientnet_lite0", 3, lite0, registry.load("full"), seed=0)


def test_learns_an_easy_task(lite0, splits, recipe):
    model = create("efficientnet_lite0", 3, lite0, registry.load("tsa"), seed=0)
    result = fit(model, splits, replace(recipe, epochs=15), 1e-3, seed=0)
    assert result.best_row["validation_f1_micro"] > 0.8


def test_schedule_rises_linearly_then_falls_to_zero():
    factor = warmup_cosine(steps=100, warmup=0.1)
    assert [factor(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert factor(10) == pytest.approx(1)
    assert factor(55) == pytest.approx(0.5)
    assert factor(99) < 1e-3


def test_decay_spares_norms_biases_scales_and_shifts(lite0):
    model = create("efficientnet_lite0", 3, lite0, registry.load("ssf"), seed=0)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed, spared = ({names[id(p)] for p in group["params"]} for group in parameter_groups(model, 0.1))
    assert decayed == {"classifier.weight"}
    assert "conv_stem.ssf.scale" in spared
    assert "classifier.bias" in spared


def test_small_fractions_take_the_minimum_of_steps(model, splits, recipe):
    result = fit(model, splits, replace(recipe, min_steps=17), 1e-3, seed=0)
    assert result.history[-1]["epoch"] == 5
    assert result.step == 20  # 30 images are 4 batches of at most 8
    assert result.images_seen == 150


@pytest.mark.parametrize(("metric", "better"), [("auroc", max), ("brier", min)])
def test_the_primary_metric_chooses_the_epoch(model, splits, recipe, metric, better):
    asked = replace(recipe, epochs=3, validations=3, primary_metric=metric)
    result = fit(model, splits, asked, 1e-2, seed=0)
    scores = [row[f"validation_{metric}"] for row in result.history]
    assert result.best_row[f"validation_{metric}"] == better(scores)
    assert "validation_f1_micro" not in result.history[0]
    model.load_state_dict(result.best, strict=False)
    probabilities, truth = predict(model, splits["validation"], asked).double().softmax(1), splits["validation"].labels
    one_hot = torch.nn.functional.one_hot(truth, 3)
    expected = {
        "auroc": lambda: roc_auc_score(one_hot, probabilities),
        "brier": lambda: (probabilities - one_hot).square().sum(1).mean(),
    }
    assert better(scores) == pytest.approx(float(expected[metric]()))


def test_a_primary_metric_that_validation_cannot_tell_fails_the_run(model, splits, recipe):
    one_class = replace(splits["validation"], labels=torch.zeros_like(splits["validation"].labels))
    with pytest.raises(RunFailed, match="AUROC is undefined on the validation images"):
        fit(model, splits | {"validation": one_class}, replace(recipe, primary_metric="auroc"), 1e-3, seed=0)


def test_best_epoch_is_chosen_on_validation(model, splits, recipe):
    result = fit(model, splits, replace(recipe, epochs=4, validations=4), 1e-2, seed=0)
    best = max(row["validation_f1_micro"] for row in result.history)
    assert result.best_row["validation_f1_micro"] == best
    model.load_state_dict(result.best, strict=False)
    logits = predict(model, splits["validation"], recipe)
    assert (logits.argmax(1) == splits["validation"].labels).double().mean() == best


def test_same_seed_same_delta(lite0, splits, recipe):
    deltas = []
    for seed in (0, 0, 1):
        model = create("efficientnet_lite0", 3, lite0, registry.load("bias"), seed)
        deltas.append(fit(model, splits, recipe, 1e-3, seed).best)
    assert all(torch.equal(deltas[0][name], deltas[1][name]) for name in deltas[0])
    assert any(not torch.equal(deltas[0][name], deltas[2][name]) for name in deltas[0])


def test_interrupted_training_resumes_bit_identically(lite0, splits, recipe, tmp_path, monkeypatch):
    recipe = replace(recipe, epochs=4, validations=4)
    networks = [create("efficientnet_lite0", 3, lite0, registry.load("full"), seed=0) for _ in range(3)]
    whole = fit(networks[0], splits, recipe, 1e-3, seed=0)
    checkpoint = tmp_path / "checkpoint"
    monkeypatch.setattr("medpeft.training.loop.CHECKPOINT_SECONDS", 0)

    def interrupt(epoch, row):
        if epoch == 3:
            raise KeyboardInterrupt

    arguments = (splits, recipe, 1e-3)
    with pytest.raises(KeyboardInterrupt):
        fit(networks[1], *arguments, seed=0, checkpoint=checkpoint, on_validation=interrupt)
    torch.rand(7)  # whatever else happened to the global random numbers must not matter
    resumed = fit(networks[2], *arguments, seed=0, checkpoint=checkpoint)
    assert resumed.history == whole.history
    assert all(torch.equal(whole.best[name], resumed.best[name]) for name in whole.best)


def test_a_training_goes_on_at_no_other_precision(vit, splits, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("medpeft.training.loop.CHECKPOINT_SECONDS", 0)

    def training(precision, epochs, checkpoint=None):
        network = create("vit_mini_patch8_64.distilled", 3, vit, registry.load("full"), 0, recipe.image_size)
        chosen = replace(recipe, precision=precision, epochs=epochs, validations=epochs)
        return fit(network, splits, chosen, 1e-3, 0, checkpoint)

    training("bf16", 2, tmp_path / "checkpoint")
    assert training("fp32", 3, tmp_path / "checkpoint").history == training("fp32", 3).history


def test_a_network_without_gradient_checkpointing_is_named(recipe):
    network = timm.create_model("efficientnet_lite0")
    network.set_grad_checkpointing = timm.create_model("inception_v3").set_grad_checkpointing
    with pytest.raises(UserError, match=r"EfficientNet has no.*take recipe\.gradient_checkpointing out"):
        replace(recipe, gradient_checkpointing=True).settled(network)


def test_a_loss_that_is_not_finite_is_a_recorded_failure(model, splits, recipe):
    # The first step still has the pretrained weights; what it does to them shows at the second.
    with pytest.raises(RunFailed, match=r"not finite at step 2, in epoch 1, at learning rate 1e\+38"):
        fit(model, splits, replace(recipe, epochs=3, warmup=0), 1e38, seed=0)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_exhausted_memory_is_a_recorded_failure(model, splits, recipe, monkeypatch, error):
    def exhaust(*_):
        raise error

    monkeypatch.setattr(model, "forward", exhaust)
    with pytest.raises(RunFailed, match="out of memory"):
        fit(model, splits, recipe, 1e-3, seed=0)


def test_a_batch_that_does_not_fit_is_done_in_micro_batches_with_the_same_result(lite0, splits, recipe, monkeypatch):
    networks = [create("efficientnet_lite0", 3, lite0, registry.load("full"), seed=0) for _ in range(2)]
    forward = networks[1].forward

    def small(images):
        if len(images) > 3:
            raise torch.OutOfMemoryError
        return forward(images)

    monkeypatch.setattr(networks[1], "forward", small)
    whole, pieces = (fit(n, splits, recipe, 1e-4, seed=0) for n in networks)
    assert (whole.micro_batch, pieces.micro_batch) == (8, 2)
    for name, tensor in whole.best.items():
        torch.testing.assert_close(pieces.best[name], tensor, rtol=1e-3, atol=1e-5)


def test_other_runtime_errors_are_not_hidden(model, splits, recipe, monkeypatch):
    monkeypatch.setattr(model, "forward", lambda _: torch.ones(2, 3) @ torch.ones(2, 3))
    with pytest.raises(RuntimeError, match="shapes"):
        fit(model, splits, recipe, 1e-3, seed=0)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_half_precision_learns_what_single_precision_does(vit, splits, recipe, method):
    results = []
    for precision in ("fp32", "bf16"):
        network = create("vit_mini_patch8_64.distilled", 3, vit, registry.load(method), 0, recipe.image_size)
        chosen = replace(recipe, epochs=15, precision=precision).settled(network)
        results.append(fit(network, splits, chosen, 1e-3, seed=0))
        assert all(tensor.dtype == torch.float32 for tensor in results[-1].best.values())
    single, half = (result.best_row for result in results)
    assert half["validation_f1_micro"] == pytest.approx(single["validation_f1_micro"], abs=0.1)
    assert half["validation_loss"] == pytest.approx(single["validation_loss"], abs=0.1)


def test_auto_is_settled_by_hardware_and_network(lite0, vit, recipe, monkeypatch):
    networks = [
        create(name, 3, weights, registry.load("full"), 0)
        for name, weights in (("efficientnet_lite0", lite0), ("vit_mini_patch8_64.distilled", vit))
    ]
    auto = replace(recipe, precision="auto")
    for native, expected in ((True, ["fp32", "bf16"]), (False, ["fp32", "fp32"])):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda native=native: {"avx512_bf16": native})
        assert [auto.settled(network).precision for network in networks] == expected
        assert [recipe.settled(network).precision for network in networks] == ["fp32", "fp32"]


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (2, 3), (4, 4), (9, 9)])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 5, "padding": 2, "groups": 4},
        {"kernel_size": 7, "padding": 3, "stride": 2},
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": (5, 3), "padding": (2, 1)},
        {"kernel_size": 4, "padding": 2},
        {"kernel_size": 5, "padding": 4, "dilation": 2},
        {"kernel_size": 5, "padding": 2, "padding_mode": "replicate"},
        {"kernel_size": 1},
        {"kernel_size": 1, "groups": 4, "stride": 2},
        {"kernel_size": 1, "padding": 1},
    ],
)
def test_hastened_convolutions_give_the_same_maps_and_gradients(shape, options):
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(4, 4, **options)
    images = torch.randn(2, 4, *shape, requires_grad=True)
    outcomes = []
    for prepare in (lambda *_: None, hasten):
        prepare(convolution, "fp32")
        maps = convolution(images)
        gradients = torch.autograd.grad(maps.square().sum(), [images, convolution.weight, convolution.bias])
        outcomes.append((maps, *gradients))
    for plain, hastened in zip(*outcomes, strict=True):
        torch.testing.assert_close(hastened, plain)


def test_kernels_are_trimmed_to_what_a_map_holds(monkeypatch):
    convolution, sizes = torch.nn.Conv2d(4, 4, 7, padding=3), []
    hasten(convolution, "fp32")
    plain = torch.nn.functional.conv2d

    def conv2d(features, kernel, *arguments, **options):
        sizes.append(kernel.shape[-1])
        return plain(features, kernel, *arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "conv2d", conv2d)
    for side in (1, 2, 3, 4, 5):
        convolution(torch.randn(1, 4, side, side))
    assert sizes == [3, 3, 5, 7, 7]


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_small_batches_take_the_fast_way_through_convolutions_of_single_pixels():
    convolution = torch.nn.Conv2d(4, 4, 1)
    hasten(convolution, "fp32")
    for side, fast in [(8, True), (1, False)]:
        with torch.profiler.profile() as profile:
            convolution(torch.randn(15, 4, side, side))
        assert fast == ("aten::mkldnn_convolution" in {event.key for event in profile.key_averages()})


@pytest.mark.parametrize("method", ["full", "lora"])
def test_gradient_checkpointing_gives_the_same_gradients_from_less_memory(vit, lite0, splits, recipe, method):
    backbones = {"vit_mini_patch8_64.distilled": vit}
    if method == "full":
        backbones["efficientnet_lite0"] = lite0
    for name, weights in backbones.items():
        fits, kept = [], []
        for checkpointed in (False, True):
            network = create(name, 3, weights, registry.load(method), 0, recipe.image_size)
            chosen = replace(recipe, gradient_checkpointing=checkpointed).settled(network)
            kept.append(_kept_bytes(network, recipe))
            fits.append(fit(network, splits, chosen, 1e-4, seed=0))
        assert kept[1] < kept[0] / 2
        for key, tensor in fits[0].best.items():
            torch.testing.assert_close(fits[1].best[key], tensor, rtol=1e-3, atol=1e-5)


def _kept_bytes(network, recipe) -> int:
    """Return the bytes that a forward pass of 8 images keeps for the gradients, parameters apart."""
    own, sizes = {p.untyped_storage().data_ptr() for p in network.parameters()}, {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network.train()(torch.zeros(8, 3, recipe.image_size, recipe.image_size))
    return sum(sizes.values())
