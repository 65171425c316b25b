"""The attributions of captum (Kokhlikyan et al. 2020)."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Self, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.attribution.methods.base import (
    GRADIENTS,
    Attribution,
    Method,
    Question,
    require_network,
)
from ganexplain.attribution.methods.grad_cam import (
    enlarged,
    find_layer_of_map,
    is_turned,
    over_input,
    upright,
)
from ganexplain.attribution.methods.learned import Explainer
from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import GanexplainError, UsageError, check_known, reason_of
from ganexplain.networks.arranged import arranged_output
from ganexplain.networks.gradient_faults import find_gradient_fault
from ganexplain.networks.in_place import activations_out_of_place
from ganexplain.networks.layer_outputs import LayerOutput

CAPTUM = "captum:"  # before the name of the attribution
SHAPLEY_SAMPLES = 25  # permutations of the segments that captum samples
BASELINES = 8  # fills with noise, for methods that average over a distribution of baselines
LEAST_WINDOW = 8  # most windows of captum's Occlusion along each axis
# Methods that change a segment or window in all channels at once. captum repeats its weight in each
# channel, so the map is the mean over channels, not the sum.
ACROSS_CHANNELS = ("FeatureAblation", "KernelShap", "Lime", "Occlusion", "ShapleyValueSampling")
UNSUITED = {
    "FeaturePermutation": "permutes over a batch of inputs",
    "LayerFeaturePermutation": "permutes over a batch of inputs",
    "LayerFeatureAblation": "takes a pass for every unit of the layer",
    "ShapleyValues": "takes n! passes; take ShapleyValueSampling",
    "LimeBase": "is the base of Lime; take Lime",
    "DataLoaderAttribution": "attributes over a data set",
}


def captum_names() -> list[str]:
    """Return the attributions that `captum_map` supports; GanexplainError without captum."""
    attr = _captum()
    names = []
    for name, kind in vars(attr).items():
        if not (inspect.isclass(kind) and issubclass(kind, attr.Attribution)):
            continue
        has_method = hasattr(kind, "attribute") and not name.endswith("Attribution")
        if has_method and not name.startswith("Neuron") and name not in UNSUITED:
            names.append(name)
    return sorted(names)


class CaptumArguments(TypedDict, total=False):
    """The arguments of `attribute` of captum's methods, each only where the method has it."""

    baselines: Tensor
    feature_mask: Tensor
    sliding_window_shapes: tuple[int, ...]
    strides: tuple[int, ...]
    n_samples: int
    perturbations_per_eval: int


def captum_map(
    method: Captum,
    network: nn.Module,
    scorer: Scorer,
    x: Tensor,
    fill: Tensor,
    labels: np.ndarray,
    seed: int = 0,
) -> Tensor:
    """Return the map (H, W) of a captum attribution of the target's logit, summed over channels.

    For methods of `ACROSS_CHANNELS` it is the weight of each segment or window, as for occlusion.
    The map of a layer attribution is resized to the input. The global random state is restored.

    Args:
        method: the attribution and its settings.
        network: the network that the scorer's model runs.
        scorer: the score, whose logit is attributed; it counts the passes.
        x: the input (*S).
        fill: the baseline (*S) of methods that have one.
        labels: the segments (H, W) of methods that change segments.
        seed: seed of the random state.

    Raises:
        UsageError: the name is unknown, a layer has no places, or the method fails on this network.
    """
    name = method.attribution
    if name in UNSUITED:
        raise UsageError(f"--method captum:{name}: not offered, it {UNSUITED[name]}")
    check_known("--method captum:", name, captum_names())
    counted = _Counted(network, scorer, channel=x.ndim == 2)
    if counted.channel:  # captum resizes only maps with channels
        x, fill = x[None], fill[None]
    kind = getattr(_captum(), name)
    has_layer = "layer" in inspect.signature(kind.__init__).parameters
    named = _layer(network, counted, x, method) if has_layer else None
    with (
        _errors_of_captum(name, network, counted, x),
        arranged_output(named[1]) if named else nullcontext() as module,
        _random_state_restored(),
        activations_out_of_place(counted, counted.logit, x[None], module),
    ):
        arguments = _arguments(kind, method, x, fill, labels)
        attributor = _attributor(kind, name, counted, module)
        torch.manual_seed(seed)
        np.random.seed(seed)
        found = attributor.attribute(x[None].detach().requires_grad_(True), **arguments)
    values = (found[0] if isinstance(found, tuple) else found).detach()[0].sum(dim=0)
    area = _as_map(values, network, counted, named, x)
    return area / len(x) if name in ACROSS_CHANNELS else area


@contextmanager
def _errors_of_captum(
    name: str, network: nn.Module, counted: _Counted, x: Tensor
) -> Iterator[None]:
    """While open, captum's errors become a UsageError that says why it does not take a network."""
    try:
        yield
    except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        reason = reason_of(error)
        if "grad" in reason or "numpy" in reason or "inplace" in reason:
            reason = find_gradient_fault(network, counted.logit, x[None]) or reason
        raise UsageError(f"--method captum:{name} does not take this network ({reason})") from error


@contextmanager
def _random_state_restored() -> Iterator[None]:
    """While open, gradients are on and warnings off; the random states are restored at the end."""
    numpy_state = np.random.get_state()
    try:
        with torch.random.fork_rng(), torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about captum's own hooks
            yield
    finally:
        np.random.set_state(numpy_state)


class _Counted(nn.Module):
    """A module that returns the target's logit (B,) and counts passes in the scorer.

    With `channel` its inputs are (B, 1, F, T) where those of the network are (B, F, T).
    """

    def __init__(self, network: nn.Module, scorer: Scorer, channel: bool) -> None:
        super().__init__()
        self.network, self.scorer, self.channel = network, scorer, channel

    def forward(self, x: Tensor) -> Tensor:
        self.scorer.passes += len(x)
        return self.logit(x)

    def logit(self, x: Tensor) -> Tensor:
        """Return the logit (B,) without counting the pass."""
        return self.scorer.differentiable(x[:, 0] if self.channel else x)


def _pass_through(network: nn.Module) -> None:
    """Give rectifiers without a rule in captum the rule of ReLU; LRP removes it afterwards."""
    from captum.attr._utils.lrp_rules import IdentityRule

    for module in network.modules():
        if isinstance(module, nn.LeakyReLU | nn.ReLU6 | nn.ELU | nn.GELU | nn.SiLU):
            module.rule = IdentityRule()


def _attributor(kind: Any, name: str, counted: _Counted, module: nn.Module | None) -> Any:
    """Build captum's method for a network and, for layer attributions, one of its layers."""
    if name.endswith("LRP"):
        _pass_through(counted)
    if name == "NoiseTunnel":
        return kind(_captum().IntegratedGradients(counted))
    return kind(counted) if module is None else kind(counted, module)


def _arguments(
    kind: Any, method: Captum, x: Tensor, fill: Tensor, labels: np.ndarray
) -> CaptumArguments:
    """Return those arguments of `attribute` that the method has."""
    name, wanted = method.attribution, inspect.signature(kind.attribute).parameters
    arguments = CaptumArguments()
    if "baselines" in wanted:
        arguments["baselines"] = fill[None]
        if name in ("GradientShap", "DeepLiftShap", "LayerGradientShap", "LayerDeepLiftShap"):
            deviation = 0.1 * (x - fill).std()
            generator = torch.Generator().manual_seed(0)
            noise = torch.randn(BASELINES, *x.shape, generator=generator).to(x)
            arguments["baselines"] = fill + deviation * noise
    if "feature_mask" in wanted:
        index = torch.as_tensor(labels, device=x.device)
        arguments["feature_mask"] = index.expand(x.shape)[None].contiguous()
    if "sliding_window_shapes" in wanted:
        window = (*x.shape[:-2], *(max(1, size // LEAST_WINDOW) for size in x.shape[-2:]))
        arguments["sliding_window_shapes"] = window
        arguments["strides"] = window
    if name in ("Lime", "KernelShap"):
        arguments["n_samples"] = method.samples
    if "perturbations_per_eval" in wanted:
        arguments["perturbations_per_eval"] = 16
    return arguments


def _layer(
    network: nn.Module, counted: _Counted, x: Tensor, method: Captum
) -> tuple[str, LayerOutput]:
    """Return the layer of a layer attribution; UsageError where captum would misplace its map."""
    name, layer = find_layer_of_map(network, counted.logit, x[None], method.cam_layer)
    if method.attribution == "GuidedGradCam" and is_turned(layer):
        raise UsageError(
            f"--cam-layer {name}: captum's GuidedGradCam does not turn its places, which are "
            f"{' x '.join(layer.place_names)}; use --method grad-cam"
        )
    return name, layer


def _as_map(
    values: Tensor,
    network: nn.Module,
    counted: _Counted,
    named: tuple[str, LayerOutput] | None,
    x: Tensor,
) -> Tensor:
    """Return values (h, w) or (w,), of a layer if any, at the resolution (H, W) of the input."""
    if values.shape == x.shape[-2:]:
        return values
    if named is None:
        return enlarged(values, *x.shape[-2:])
    area = upright(values, named[1], values.ndim)
    return over_input(area, network, counted.logit, named, x)


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError as error:
        raise GanexplainError(
            "--method captum: needs captum: pip install '.[attribution]' in ganexplain's folder"
        ) from error
    return captum.attr


@dataclass(frozen=True)
class Captum(Method):
    """An attribution of captum, as captum:NAME.

    `cam_layer` is the layer of layer attributions, empty for the last convolution; `samples` are
    drawn by its Lime and KernelShap.
    """

    attribution: str
    cam_layer: str = ""
    samples: int = 2000

    random = True

    @classmethod
    def from_settings(cls, name: str, settings: Any, explainers: Mapping[str, Explainer]) -> Self:
        """Build the attribution that `name` has after the colon."""
        return cls(name.removeprefix(CAPTUM), settings.cam_layer, settings.samples)

    def ask(self, question: Question, seed: int) -> Attribution:
        """Return the map of captum's attribution."""
        network = require_network(question, CAPTUM + self.attribution)
        area = captum_map(
            self, network, question.scorer, question.x, question.fill, question.labels, seed
        )
        return Attribution.from_map(question, area)

    def passes(self, count: int) -> int:
        """Estimate the passes, by the number of segments where the method removes them."""
        known = {
            "FeatureAblation": count + 1,
            "ShapleyValueSampling": SHAPLEY_SAMPLES * count + 1,
            "KernelShap": self.samples,
            "Lime": self.samples,
        }
        return known.get(self.attribution, GRADIENTS)
