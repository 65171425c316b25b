# %% [markdown]
# # Train a GAN
#
# The GAN decides what a search can find, so it should know the music that the network is asked about. This page
# trains one for a few seconds, to show what to look at; a usable one takes more than an hour on a CPU
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
# `held_out` is the distance of samples to excerpts that it has not met, `floor` that of training excerpts to the same. With
# recordings as few as these both are large, since the songs differ, and the distance alone says little. `diversity` is
# that of the samples relative to real excerpts: far below 1 they are alike. `precision` is the share of samples near
# real excerpts, `recall` that of real excerpts near samples. After so few steps all are bad, and so it looks and sounds:

# %%
gan

# %% [markdown]
# The same for the GAN that the package brings:

# %%
ganexplain.TrainedGan.read("sample_data/pretrained/gan.pt")

# %% [markdown]
# With `start="sample_data/pretrained/gan.pt"` a training goes on from it, on other recordings too.
# `ganexplain.explain(network, gan, ...)` takes the record as it is.
