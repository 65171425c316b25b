# %% [markdown]
# # Train a GAN
#
# The GAN decides what a search can find, so it should know the music that the network is asked about. This page
# trains one for a few seconds, to show what to look at; a usable one takes an hour on two cores
# ([how to train a GAN](../how-to/gan.md)).

# %%
import ganexplain

songs = "sample_data/few.csv"  # six of the sample recordings

# %% [markdown]
# A training is a run like any other: it may be resumed, and it keeps the generator with the best score.

# %%
gan = ganexplain.train_gan(
    songs, autoencoder_steps=5, steps=10, sample_every=10, encoder_steps=5, batch_size=8
)
for name in ("held_out", "floor", "diversity", "precision", "recall"):
    print(f"{name:<10} {gan.figures[name]:.3f}")

# %% [markdown]
# `held_out` is the distance of samples to excerpts that it has not met, `floor` that of training excerpts to the same:
# as near as a GAN can come. A diversity well below 1 is a collapse. After so few steps all are bad, and so it looks and
# sounds:

# %%
gan

# %% [markdown]
# The same for the GAN that the package brings:

# %%
from pathlib import Path

shipped = ganexplain.TrainedGan(Path(), None, Path("sample_data/pretrained/gan.pt"))
shipped

# %% [markdown]
# With `start="sample_data/pretrained/gan.pt"` a training goes on from it, which needs far fewer recordings and steps.
# `ganexplain.explain(network, gan, ...)` takes the record as it is.
