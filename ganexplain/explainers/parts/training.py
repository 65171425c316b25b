"""The training of a network that decomposes a layer's features into parts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.config import TrainExplainerConfig
from ganexplain.corpora.splits import batch_rows
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.explainers.cgan.teachers import output_kind
from ganexplain.explainers.parts.filter_loss import filter_loss, sharpen_maps
from ganexplain.explainers.parts.inference import PartsContent
from ganexplain.explainers.parts.known_events import KnownEvents
from ganexplain.explainers.parts.layers import chosen_layers
from ganexplain.explainers.parts.network import Encoding, explainer_for
from ganexplain.explainers.parts.places import estimate_geometry
from ganexplain.explainers.task import Task, Trained
from ganexplain.networks.adapter import OUTPUT
from ganexplain.networks.decisions import class_logits
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.gradient_faults import gradient_errors_named
from ganexplain.networks.hooks import find_layer, layer_output, record_outputs
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.target import TargetNetwork, example_inputs
from ganexplain.networks.tracing import subnetwork_after
from ganexplain.runs.distributed import average_gradients, rank_slice
from ganexplain.runs.inputs import Recording
from ganexplain.runs.machine import random_stream
from ganexplain.runs.resume import State, finite_value, restore_optimiser

FIRST = 256  # inputs from which the scale of the features is computed
EXAMPLES = 16  # inputs from which the geometry is estimated
MIXING_RATE = 20  # learning rate of the mixing weight, relative to that of the other weights
SAME = 1e-6  # relative squared error below which outputs are equal
CHUNK = 32  # inputs in a pass without training


def check_settings(
    config: TrainExplainerConfig,
    networks: Sequence[TargetNetwork],
    recordings: Sequence[Recording],
) -> None:
    """Raise UsageError for networks, layers or listed events that do not fit.

    Errors of the table of events as `read_events`; `recordings` are those of the training.
    """
    if len(networks) > 1:
        raise UsageError("--method parts explains one network; give one --classifier")
    target = networks[0]
    _known_events(config, target, recordings)
    example = example_inputs(target.front_end).to(target.device)
    subnetwork_after(target.network, *chosen_layers(config, target.network, example))


class PartsTraining:
    """The explainer, its optimiser, and the parts of the classifier that it learns from.

    The loss is the relative squared error of each reconstructed layer, minus `share_weight` log p,
    plus `filter_weight` times the mean filter loss of the interpretable maps. Labels are not read.
    Raises UsageError for settings that do not fit the network.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.config, self.device = task, task.config, task.device
        network, self.kind = task.networks[0].network, output_kind(task.networks[0])
        self.known = _known_events(self.config, task.networks[0], task.train.recordings)
        self.centres = task.train.whole_excerpts()
        self.held_out = task.held_out.gather(
            _random_rows(task.held_out.whole_excerpts(), self.config.held_out, "held-out parts")
        )
        first = self.inputs(_random_rows(self.centres, FIRST, "first parts"))
        self.layer, self.targets = chosen_layers(self.config, network, first[:2])
        self.own = subnetwork_after(network, self.layer, self.targets)
        self.head = subnetwork_after(network, self.targets[-1], (OUTPUT,))
        # Never closed: outside of `front` the network is unchanged.
        fast = optimize_frozen(network, first[:2], keep=(self.layer,))
        self.opened = ExitStack()
        self.front = self.opened.enter_context(layer_output(fast, self.layer))
        features = torch.cat([self.features(part)[0] for part in first.split(CHUNK)])
        with gradient_errors_named(fast, self.front) as front:
            self.geometry = estimate_geometry(front, first[:EXAMPLES])
        self.explainer = explainer_for(network, self.layer, self.targets, features.shape[1])
        self.explainer.scale.copy_(features.sum(dim=(2, 3)).mean(dim=0))
        self.explainer.to(self.device)
        self._check_tails(network, first[:2])
        rate, mixing = self.config.learning_rate, self.explainer.mixing
        rest = [weight for weight in self.explainer.parameters() if weight is not mixing]
        self.optimiser = torch.optim.Adam(rest, rate)
        self.optimiser.add_param_group({"params": [mixing], "lr": MIXING_RATE * rate})

    def _check_tails(self, network: nn.Module, x: Tensor) -> None:
        """Raise UsageError where the later layers cannot be separated or have no gradient.

        They cannot be separated if they compute something else outside of the network.
        """
        known = {name: find_layer(network, name).as_returned for name in self.targets}
        with torch.no_grad(), record_outputs(network, known) as put_out:
            output = network(x)
        features, made = self.features(x)
        ours = (*made, self.head(put_out[self.targets[-1]])[0])
        theirs = (*(put_out[name] for name in self.targets), output)
        for name, one, other in zip((*self.targets, OUTPUT), ours, theirs, strict=True):
            if one.shape != other.shape or squares(one - other) > SAME * squares(other):
                raise UsageError(
                    f"--layer {self.layer}: layer {name} comes out different when it is computed "
                    "apart from the network (some code behind the layer writes into a tensor "
                    "through a view of it, or keeps a state); name other layers"
                )
        for part, inputs in ((self.explainer.decoder, features), (self.head, ours[-2])):
            self._check_gradient(part, inputs)
        self.explainer.zero_grad(set_to_none=True)

    @staticmethod
    def _check_gradient(part: nn.Module, inputs: Tensor) -> None:
        """Raise UsageError, with the name of the layer, where a module's output has no gradient."""

        def last(z: Tensor) -> Tensor:
            found: Tensor = part(z)[-1]
            return found

        with gradient_errors_named(part, last) as run, torch.enable_grad():
            run(inputs.detach().requires_grad_(True)).sum().backward()

    def inputs(self, rows: np.ndarray) -> Tensor:
        """Return training inputs (N, *S) at rows of centres."""
        return torch.from_numpy(self.task.train.gather(rows)).to(self.device)

    @torch.no_grad()
    def features(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the layer's rectified features (B, D, H, W), and those to reconstruct."""
        raw = self.front(x)
        return functional.relu(raw), self.own(raw)

    def training_features(self, rows: np.ndarray) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the features at rows of `centres`, and those to reconstruct."""
        return self.features(self.inputs(self.centres[rows]))

    def filter_loss(self, encoding: Encoding) -> Tensor:
        """Return the loss () whose weight is `filter_weight`: the mean over filters."""
        return filter_loss(sharpen_maps(encoding.maps)).mean()

    def logits(self, last: Tensor) -> Tensor:
        """Return class logits (B, K), two for one logit, from the last reconstructed layer."""
        return class_logits(unit_values(self.head(last)[0]), self.kind)

    def decided(self, last: Tensor) -> Tensor:
        """Return the predicted class (B,) from the last reconstructed layer."""
        return self.logits(last).argmax(dim=1)

    def step(self, step: int) -> dict[str, float]:
        """Update the explainer once; returns the losses."""
        config = self.config
        chosen = batch_rows(
            len(self.centres), config.batch_size, step, config.seed, "explainer order"
        )
        features, targets = self.training_features(chosen[rank_slice()])
        encoding = self.explainer.train().encode(features)
        made = self.explainer.decode(encoding.features)
        errors = [
            squares(ours - theirs) / squares(theirs).clamp_min(1e-12)
            for ours, theirs in zip(made, targets, strict=True)
        ]
        error = torch.stack(errors).sum()
        loss = error - config.share_weight * self.explainer.share.log()
        losses = {"loss": loss, "reconstruction": error}
        if config.filter_weight:
            losses["filter"] = self.filter_loss(encoding)
            losses["loss"] = loss = loss + config.filter_weight * losses["filter"]
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.explainer.parameters())
        self.optimiser.step()
        return {name: finite_value(value, step) for name, value in losses.items()}

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return figures on held-out inputs.

        `error_LAYER` is the relative squared error of a reconstructed layer, `agreement` the share
        of inputs with the same predicted class from the reconstruction, `filter_loss` the mean over
        filters (nat), `p` the share of the parts.
        """
        self.explainer.eval()
        errors, squared = np.zeros(len(self.targets)), np.zeros(len(self.targets))
        same, losses = [], []
        for batch in np.array_split(self.held_out, max(len(self.held_out) // CHUNK, 1)):
            features, targets = self.features(torch.from_numpy(batch).to(self.device))
            encoding = self.explainer.encode(features)
            made = self.explainer.decode(encoding.features)
            errors += [float(squares(a - b)) for a, b in zip(made, targets, strict=True)]
            squared += [float(squares(b)) for b in targets]
            same.append(self.decided(made[-1]) == self.decided(targets[-1]))
            losses.append(float(filter_loss(sharpen_maps(encoding.maps)).mean()) * len(batch))
        relative = errors / squared.clip(1e-12)
        found = {f"error_{n}": float(e) for n, e in zip(self.targets, relative, strict=True)}
        return found | {
            "agreement": float(torch.cat(same).double().mean()),
            "filter_loss": sum(losses) / len(self.held_out),
            "p": float(self.explainer.share),
        }

    def finish(self) -> Trained:
        """Weights and figures, for `explainer.pt`; what the filters look for is the gallery's."""
        figures = self.evaluate()
        weights = {name: value.cpu() for name, value in self.explainer.state_dict().items()}
        content = PartsContent(
            self.layer, tuple(self.targets), len(self.explainer.scale), self.geometry, weights
        )
        return Trained(content.to_values(), figures)

    def state(self) -> State:
        """Return all tensors of the training, for `restore`."""
        return {
            "explainer": self.explainer.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Continue from a state; GanexplainError if it belongs to other inputs."""
        scale = state["explainer"]["scale"].to(self.device)
        if not torch.allclose(scale, self.explainer.scale, rtol=1e-3):
            raise GanexplainError(
                "--resume: the training inputs are not those of the run to resume; give the same "
                "corpus, or --overwrite to start again"
            )
        self.explainer.load_state_dict(state["explainer"])
        restore_optimiser(self.optimiser, state["optimiser"])


def _known_events(
    config: TrainExplainerConfig, target: TargetNetwork, recordings: Sequence[Recording]
) -> KnownEvents | None:
    """The events of `--events`; UsageError if they have no meaning, errors as `read_events`."""
    if not config.events:
        return None
    if target.front_end.values_per_nat is None:  # no bands in Hz
        raise UsageError("--events: names need log-mel excerpts; leave it out for this network")
    known = KnownEvents.read(Path(config.events))
    known.check(recordings)
    return known


def squares(values: Tensor) -> Tensor:
    """The sum of squares."""
    return values.square().sum()


def _random_rows(rows: np.ndarray, count: int, purpose: str) -> np.ndarray:
    """Return at most `count` of the rows, always the same ones."""
    chosen = random_stream(0, purpose).permutation(len(rows))[:count]
    return rows[np.sort(chosen)]
