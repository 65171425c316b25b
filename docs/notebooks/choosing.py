# %% [markdown]
# # Choose an explanation
#
# A search has settings, and different settings find different examples. Which ones show what the neuron responds to in
# music, and not what the search likes? `select` compares the responses of each setting with those of the real
# excerpts that drive the neuron most.

# %%
import ganexplain

network, gan = "sample_data/pretrained/classifier.pt", "sample_data/pretrained/gan.pt"
songs = "sample_data/few.csv"  # six of the sample recordings

# %% [markdown]
# The real excerpts first. The highest responses are sung, the lowest are not.

# %%
real = ganexplain.responses(songs, network, "sing", top=8, hop_frames=60)
real

# %% [markdown]
# Then four settings: two learning rates, and two numbers of iterations.

# %%
found = ganexplain.explain(
    network,
    gan,
    "sing",
    learning_rate=(0.3, 0.03),
    prior_weight=0.01,
    iterations=(2, 20),
    examples=4,
)
for setting, response in enumerate(found.response):
    rate, iterations = found.learning_rate[setting], found.iterations[setting]
    print(f"{rate:<5g} {iterations:>3} iterations: response {response.mean():6.2f}")
print(f"real excerpts:       response {real.response.mean():6.2f}")

# %% [markdown]
# More is not better: the longest search goes far beyond any real excerpt. `select` ranks by how near the responses and the
# excerpts are to the real ones, and says with `=` which settings cannot be told from the best. The chosen examples are
# below the real ones, to see and to hear.

# %%
ranking = ganexplain.select(found, responses=real, controls=False)
ranking

# %% [markdown]
# [Selection](../concepts/selection.md) explains the scores; with `controls=True` the table has what a network would
# get that has learned nothing. `ganexplain.write_report(found, ranking, out=...)` writes all this as a page.
