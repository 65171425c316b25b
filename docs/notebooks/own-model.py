# %% [markdown]
# # Explain a model of your own
#
# Any torch module that takes the log-mel of an excerpt can be explained as it is, without a file or a
# checkpoint. Here it is a small one whose answer is known: it measures how much louder the low bands are
# than the high ones. So what the search finds can be checked.

# %%
import torch
from torch import nn

import ganexplain

gan = "sample_data/pretrained/gan.pt"


class Tilt(nn.Module):
    """How much louder the lower 40 mel bands are than the upper 40, of log-mels (B, 80, 115)."""

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return (mel[:, :40].mean((1, 2)) - mel[:, 40:].mean((1, 2)))[:, None]


network = Tilt()

# %% [markdown]
# `layers` lists what can be explained: this network has only its output, with one unit.

# %%
ganexplain.layers(network, gan)

# %% [markdown]
# `explain` searches the GAN's latents for excerpts that the network responds to most, and returns the record of its
# run. The first row is before the search, the second after it; the player of each row is its first excerpt.

# %%
found = ganexplain.explain(
    network, gan, "output:0", learning_rate=0.1, prior_weight=0.01, iterations=(5, 40), examples=6
)
found

# %% [markdown]
# The arrays are in the record: settings x examples x bands x frames. Is it what was asked for? The answer without the
# network, from the excerpts alone:

# %%
inputs = found.inputs[1]
tilt = inputs[:, :40].mean((1, 2)) - inputs[:, 40:].mean((1, 2))
print("shape       ", found.inputs.shape)
print("response    ", found.response[1].round(2))
print("by hand     ", tilt.round(2))
print("before      ", found.start_response.round(2))

# %% [markdown]
# A model that takes waveforms, other features or another size needs a description of its input: `input=` takes a
# mapping with the keys of [the TOML file](../front-ends.md), or `ganexplain.describe_input` finds them. A function of
# arrays instead of a module is searched without gradients. [Your own network](../tutorials/own-network.md) has the same on
# the command line.
