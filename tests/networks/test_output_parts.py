"""Which part of what a network returns is explained, and what an error says of the others."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganexplain.errors import UsageError
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call
from ganexplain.networks.target import adapt_network

MEL = FrontEnd(excerpt_frames=12)
CPU = torch.device("cpu")


class Codec(nn.Module):
    """Codes first, as EnCodec returns them, and a loss of the whole batch if it is asked for."""

    def __init__(self, loss: bool = False, alone: bool = False) -> None:
        super().__init__()
        self.layer, self.loss, self.alone = nn.Conv1d(80, 3, 3), loss, alone

    def forward(self, mel: Tensor) -> dict[str, object]:
        found = self.layer(mel)
        parts: dict[str, object] = {"codes": found.argmax(1), "audio": {"left": found}}
        loss = found.mean() if self.alone else found.mean(0).expand(len(mel), 3, 10)
        return ({"loss": loss} if self.loss else {}) | parts


class Largest(nn.Module):
    def forward(self, scores: Tensor) -> Tensor:
        return scores.argmax(1)


def test_the_first_part_with_floating_point_values_is_explained() -> None:
    network = Codec()
    mel = torch.randn(3, 80, 12)
    target = adapt_network(network, MEL, None, Call(), CPU)
    torch.testing.assert_close(target.network(mel), network.layer(mel))


def test_a_number_of_a_class_is_refused_with_what_to_return_or_choose() -> None:
    alone = nn.Sequential(nn.Conv1d(80, 3, 12), nn.Flatten(), Largest())
    with pytest.raises(UsageError, match="int64, not floating point; let the network return"):
        adapt_network(alone, MEL, None, Call(), CPU)
    with pytest.raises(UsageError, match=r"not floating point; choose another part with output ="):
        adapt_network(Codec(), MEL, None, Call(output="codes"), CPU)


def test_a_module_of_torch_export_is_refused_with_the_file_to_give() -> None:
    layers = nn.Sequential(nn.Flatten(), nn.Linear(960, 2))
    program = torch.export.export(layers, (torch.zeros(2, 80, 12),))
    for network in (program.module(), nn.Sequential(program.module())):
        with pytest.raises(UsageError, match=r"^--model: .*, and give FILE\.pt2$"):
            adapt_network(network, MEL, None, Call(), CPU)


@pytest.mark.parametrize("alone", [False, True], ids=["mixed", "one number"])
def test_a_part_of_the_whole_batch_is_refused_with_the_other_parts(alone: bool) -> None:
    network = Codec(loss=True, alone=alone)
    with pytest.raises(UsageError, match=r"other parts: audio \(2, 3, 10\)$"):
        adapt_network(network, MEL, None, Call(), CPU)
    target = adapt_network(network, MEL, None, Call(output="audio.left"), CPU)
    assert target.outputs == 3
