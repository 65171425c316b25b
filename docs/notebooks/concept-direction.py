# %% [markdown]
# # Explain a concept direction
#
# A concept is rarely one neuron. A direction in a layer, a weight for each of its units, is a unit like any other: here the
# difference between the mean activations for two groups of real excerpts, those that the detector calls singing most and
# least.

# %%
import tempfile
from pathlib import Path

import numpy as np

import ganexplain

network, gan = "sample_data/pretrained/classifier.pt", "sample_data/pretrained/gan.pt"
songs = "sample_data/few.csv"  # six of the sample recordings

# %% [markdown]
# `responses` records, beside each excerpt, the activations of the last hidden layer (`features`).

# %%
real = ganexplain.responses(songs, network, "sing", top=20, hop_frames=60, features="fc8")
sung, other = real.arrays["features"], real.arrays["bottom_features"]
direction = sung.mean(axis=0) - other.mean(axis=0)
direction /= np.linalg.norm(direction)
print("units of fc8", direction.shape, "of excerpts", sung.shape, other.shape)

# %% [markdown]
# A direction is a file of its weights, named in the place of a unit.

# %%
file = Path(tempfile.mkdtemp()) / "concept.npy"
np.save(file, direction.astype(np.float32))
found = ganexplain.explain(
    network, gan, f"fc8:{file}", learning_rate=0.1, prior_weight=0.01, iterations=30, examples=6
)
found

# %% [markdown]
# How much of it is the decision itself? The response along the direction, and that of the output for the same examples:

# %%
before = ganexplain.respond(network, "sing", found.start_inputs)
after = ganexplain.respond(network, "sing", found.inputs[0])
print(
    "along the direction",
    found.start_response.mean().round(2),
    "->",
    found.response.mean().round(2),
)
print("output 'sing'      ", before.mean().round(2), "->", after.mean().round(2))

# %% [markdown]
# The output follows, since the direction was made of what it decides. `beyond="output"` in `explain` holds
# the outputs as they are, and shows what else drives a unit ([other searches](../concepts/other-searches.md)).
