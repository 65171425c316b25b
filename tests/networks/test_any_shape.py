"""Networks of random shapes and layers: the search runs, or is refused in one line."""

from __future__ import annotations

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.errors import GanexplainError
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import generator_for
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.picture import ImageInput
from ganexplain.inputs.specification import Call
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.networks.hooks import last_hidden_layer, responses_and_features, unit_response
from ganexplain.networks.target import adapt_network
from ganexplain.networks.unit_syntax import parse_units

CPU = torch.device("cpu")
LAYERS = {
    "conv": lambda c: nn.LazyConv2d(3, 3, padding=1),
    "valid": lambda c: nn.LazyConv2d(4, 5),
    "pool": lambda c: nn.MaxPool2d(2),
    "norm": lambda c: nn.LazyBatchNorm2d(),
    "relu": lambda c: nn.ReLU(),
    "line": lambda c: nn.LazyConv1d(3, 3, padding=1),
    "flat": lambda c: nn.Flatten(),
    "linear": lambda c: nn.LazyLinear(3),
    "gru": lambda c: nn.GRU(4, 3, batch_first=True),
    "mean": lambda c: nn.AdaptiveAvgPool2d(1),
    "whole": lambda c: nn.Flatten(0),
}
SHAPES = st.one_of(
    st.builds(
        lambda c, h, w: ImageInput(channels=c, height=h, width=w),
        st.sampled_from([1, 3]), st.integers(1, 40), st.integers(1, 40),
    ),
    st.builds(
        lambda f, t: FrontEnd(mel_bands=f, excerpt_frames=t), st.integers(1, 40), st.integers(1, 60)
    ),
    st.builds(lambda n: WaveformInput(sample_rate=8000, samples=n), st.integers(1, 3000)),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    SHAPES,
    st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=5),
    st.sampled_from(["", "1FT", "TF", "CHW", "HWC", "1CHW", "1W", "11W"]),
    st.integers(0, 6),
    st.sampled_from(["0", "all", "0@max", "0@0", "0@1,1", "mean", "0-minus-1", "9"]),
)
def test_any_network_is_searched_or_refused_in_one_line(
    drawn: Input, kinds: list[str], layout: str, at: int, unit: str
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(*(LAYERS[kind](0) for kind in kinds))
    layer = [*map(str, range(len(kinds))), "output"][at % (len(kinds) + 1)]
    try:
        explained = adapt_network(network, drawn, None, Call(layout=layout), CPU)
        generator = generator_for(drawn, channels=16).eval().requires_grad_(False)
        starts = start_latents(0, 2, LATENT_SIZE)
        example = generator(torch.from_numpy(starts))
        chosen = parse_units([layer], unit, explained.network, example, explained.names)
        features = last_hidden_layer(explained.network)
        with unit_response(explained.network, chosen[-1]) as respond:
            rows = Starts(starts, 0.1)
            found = ascend(lambda z: respond(generator(z)), rows, (2,), AscentSettings())
        made = generator(torch.from_numpy(found.latent[0]))
        response, others = responses_and_features(explained.network, chosen[-1], features, made)
    except GanexplainError as error:
        assert str(error) and "\n" not in str(error)
        return
    assert response.shape == (2,) and torch.isfinite(response).all()
    assert others.ndim == 2 and len(others) == 2
    assert (found.response >= found.response_trace[:, 0] - 1e-5).all()
