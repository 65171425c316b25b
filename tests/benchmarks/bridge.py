"""How near a network's response to bridged log-mel comes to that to the sound itself.

    python tests/benchmarks/bridge.py sample_data --model silero_vad.jit \
        --input sample_data/networks/silero.toml

Excerpts at random places of the validation and test splits: the response to the recording,
resampled by soxr, and to its log-mel through the bridge. Then, on what a GAN draws, how much of
the gradient's length a small step along it really climbs: with the phases held, as the bridge
has them, and through the steps of Griffin-Lim.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from ganexplain.audio.io import load_mono
from ganexplain.audio.log_mel import log_mel
from ganexplain.corpora.load import read_corpus
from ganexplain.gans.checkpoint import load_generator
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import read_input_file
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.bridges.spectra import MOMENTUM, PHASE_STEPS, SMALLEST, Waveform
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target

CPU, OURS = torch.device("cpu"), FrontEnd()


class Unrolled(nn.Module):
    """The bridge's phase reconstruction with gradients through all its steps."""

    def __init__(self, held: Waveform) -> None:
        super().__init__()
        self.held = held

    def forward(self, magnitudes: Tensor) -> Tensor:
        held, phase = self.held, self.held.phase
        previous = torch.zeros_like(phase)
        for _ in range(PHASE_STEPS):
            rebuilt = held._spectrum(held._waveform(magnitudes * phase))
            moved = rebuilt - MOMENTUM / (1 + MOMENTUM) * previous
            phase, previous = moved / (moved.abs() + SMALLEST), rebuilt
        return held._waveform(magnitudes * phase)


def fidelity(source: NetworkSource, corpus: Path, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean outputs for real excerpts (N,): of the sound itself, and through the bridge."""
    explained = load_target(source, OURS, CPU)
    eaten, call = read_input_file(Path(source.input))
    assert isinstance(eaten, WaveformInput)
    stream, direct, bridged = np.random.default_rng(0), [], []
    recordings = read_corpus(corpus)
    for recording in [*recordings.split("valid"), *recordings.split("test")]:
        sound = load_mono(recording.path, OURS.sample_rate)
        for start in stream.integers(0, len(sound) - OURS.excerpt_samples, each):
            excerpt = sound[start : start + OURS.excerpt_samples]
            mel = torch.from_numpy(log_mel(excerpt, OURS).T.copy())[None]
            there = soxr.resample(excerpt, OURS.sample_rate, eaten.sample_rate)
            first = (len(there) - eaten.samples) // 2
            piece = np.ascontiguousarray(there[first : first + eaten.samples])
            with torch.no_grad():
                own = explained.network.get_submodule("explained")
                whole = own(torch.from_numpy(piece)[None], **call.arguments)
                direct.append(float(whole.mean()))
                bridged.append(float(explained.network(mel).mean()))
    return np.array(direct), np.array(bridged)


def climbed(source: NetworkSource, gan: Path, examples: int) -> dict[str, list[float]]:
    """Slope of a step of 0.3 along the gradient over the gradient's length, for both ways."""
    generator, drawn = load_generator(gan, CPU)
    explained = load_target(source, drawn, CPU)
    z = torch.from_numpy(
        np.stack([np.random.RandomState(k).normal(size=128) for k in range(examples)])
    ).float()

    def respond(latent: Tensor) -> Tensor:
        return explained.network(generator(latent)).mean(1)

    found = {}
    bridge = explained.network.get_submodule("bridge")
    assert isinstance(bridge, nn.Sequential)
    at, held = next((k, step) for k, step in enumerate(bridge) if isinstance(step, Waveform))
    ways: dict[str, nn.Module] = {"phases held": held, "through the steps": Unrolled(held)}
    for name, step in ways.items():
        bridge[at] = step
        start = z.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(respond(start).sum(), start)
        length = gradient.norm(dim=1, keepdim=True)
        with torch.no_grad():
            move = 0.3 * gradient / length
            slope = (respond(z + move) - respond(z - move)) / 0.6
        found[name] = (slope / length[:, 0]).tolist()
    return found


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--gan", type=Path, default=Path("sample_data/pretrained/gan.pt"))
    parser.add_argument("--each", type=int, default=4)
    arguments = parser.parse_args()
    source = NetworkSource(model=arguments.model, input=arguments.input)
    direct, bridged = fidelity(source, arguments.corpus, arguments.each)
    print(
        f"{len(direct)} excerpts: correlation {np.corrcoef(direct, bridged)[0, 1]:.3f}, mean "
        f"{direct.mean():.3f} and {bridged.mean():.3f}, mean difference "
        f"{np.abs(direct - bridged).mean():.3f}"
    )
    for name, shares in climbed(source, arguments.gan, 8).items():
        print(f"{name}: {', '.join(f'{share:.3f}' for share in shares)}")


if __name__ == "__main__":
    main()
