# %% [markdown]
# # Read a bad explanation
#
# An explanation can be wrong in two ways that look alike at first sight: the examples drive the neuron, but are nothing
# that a recording could be; or they look fine, but do not drive it. This page makes one of the first kind on purpose, and
# reads the figures that show it.

# %%
import numpy as np

import ganexplain

network, gan = "sample_data/pretrained/classifier.pt", "sample_data/pretrained/gan.pt"
songs = "sample_data/few.csv"  # six of the sample recordings

# %% [markdown]
# Without a prior and with long steps, nothing keeps the latents where the GAN was trained.

# %%
settings = dict(iterations=25, examples=4)
bad = ganexplain.explain(network, gan, "sing", learning_rate=1.0, prior_weight=0.0, **settings)
good = ganexplain.explain(network, gan, "sing", learning_rate=0.03, prior_weight=0.1, **settings)
bad

# %%
good

# %% [markdown]
# The responses of the bad examples are as high as those of real excerpts, so they alone do not show that it is bad. Two
# other figures do:
#
# - the norm of the latents: samples of the prior have about the square root of 128, 11.3;
# - the distance of the examples to the nearest real excerpt.

# %%
real = ganexplain.responses(songs, network, "sing", top=10, hop_frames=60)


def nearest(found: ganexplain.Explanation) -> float:
    """Root mean square distance of the examples to the nearest of the real excerpts."""
    apart = found.inputs[0][:, None] - real.inputs[None]
    return float(np.sqrt((apart**2).mean((2, 3))).min(axis=1).mean())


print(f"{'':<22}{'bad':>8}{'good':>8}")
norms = [np.linalg.norm(each.latent[0], axis=1).mean() for each in (bad, good)]
print(f"{'mean response':<22}{bad.response.mean():>8.2f}{good.response.mean():>8.2f}")
print(f"{'norm of the latents':<22}{norms[0]:>8.2f}{norms[1]:>8.2f}")
print(f"{'to the nearest real':<22}{nearest(bad):>8.2f}{nearest(good):>8.2f}")
print(f"real excerpts: responses {real.response.min():.2f} to {real.response.max():.2f}")

# %% [markdown]
# The report has the same figures for every setting, and words for them ([reading a report](../how-to/report.md)). A bad
# explanation of the second kind is found by the controls of `select`: if a network with shuffled weights gets as good
# a score, the examples say nothing about what was learned ([judges and controls](../how-to/judges.md)).
