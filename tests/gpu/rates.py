"""How fast the device searches, trains, and explains single decisions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

import torch
from gpu.bench import OUTPUT, Bench, Report, classifier_training, first_line, gan_training
from torch import Tensor, nn

from ganexplain.ascent.engine import Objective, ascend, start_latents
from ganexplain.ascent.settings import Starts
from ganexplain.attribution.masking import MaskedInput, subset_score
from ganexplain.attribution.methods.elime import evolve
from ganexplain.attribution.methods.lime import lime
from ganexplain.attribution.scorer import Scorer
from ganexplain.attribution.segments import grid
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.training import GanTraining
from ganexplain.runs.precision import SEARCH_PRECISIONS, in_precision

FORMS = ("eager", "compiled", "graphs")


def search_rates(bench: Bench, report: Report) -> None:
    """The paper's grid in each precision; other forms and a batch of one setting beside it."""
    forms = FORMS if bench.device.type == "cuda" else FORMS[:1]
    few = min(50, bench.sizes.rows)  # one setting
    for precision in SEARCH_PRECISIONS:
        for form in forms:
            for rows in sorted({bench.sizes.rows, few}):
                try:
                    search_rate(bench, report, precision, form, rows)
                except Exception as error:
                    if form == "eager":
                        raise
                    report.left_out[f"{precision}, {form}, {rows} rows"] = first_line(error)


def search_rate(bench: Bench, report: Report, precision: str, form: str, rows: int) -> None:
    """A whole grid in a precision where `form` is eager, else its first iterations."""
    sizes, device = bench.sizes, bench.device
    count = sizes.iterations if form == "eager" and rows == sizes.rows else sizes.short_iterations
    starts = Starts(start_latents(0, rows, LATENT_SIZE), 0.01, 0.01)
    with bench.objective(device, OUTPUT) as respond, in_precision(precision, device):
        objective = in_form(form, respond, rows, device)

        def work(iterations: int) -> Callable[[], object]:
            return lambda: ascend(objective, starts, (iterations,), bench.settings(device))

        work(2)()  # compiles, captures and chooses convolutions
        seconds, peak = bench.seconds(work(count))
    name = f"search, {precision}, {form}, {rows} rows"
    report.rate(name, rows * count / seconds, "example-iterations/s", peak)
    if form == "eager" and rows == sizes.rows:
        report.rate(f"{name}, {count} iterations", seconds, "s", peak)


def in_form(form: str, objective: Objective, rows: int, device: torch.device) -> Objective:
    """The objective as it is, compiled, or as CUDA graphs for batches of `rows` latents."""
    if form == "eager":
        return objective
    if form == "compiled":
        return cast(Objective, torch.compile(objective))

    class Respond(nn.Module):
        def forward(self, latent: Tensor) -> Tensor:
            return objective(latent)

    sample = torch.zeros(rows, LATENT_SIZE, device=device, requires_grad=True)
    return cast(Objective, torch.cuda.make_graphed_callables(Respond(), (sample,)))


def training_rates(bench: Bench, report: Report) -> None:
    """Updates a second of the GAN of each size, and of the classifier."""
    steps = bench.sizes.steps
    for channels in bench.sizes.channels:
        gan = gan_training(bench, channels)
        gan.step(0)
        seconds, peak = bench.seconds(partial(take_steps, gan, steps))
        report.rate(f"train-gan, {channels} channels", steps / seconds, "updates/s", peak)
    classifier, batches = classifier_training(bench)
    made = [batches.make(k) for k in range(steps + 1)]  # their preparation is the CPU's work
    classifier.step(0, made[0])
    seconds, peak = bench.seconds(
        lambda: [classifier.step(k, batch) for k, batch in enumerate(made[1:], 1)]
    )
    report.rate("train-classifier", steps / seconds, "updates/s", peak)


def take_steps(training: GanTraining, steps: int) -> None:
    """Do steps 1 to `steps` of a training."""
    for step in range(1, steps + 1):
        training.step(step)


def local_rates(bench: Bench, report: Report) -> None:
    """Passes a second of LIME and E-LIME over 24 segments of an excerpt."""
    network, x = bench.networks(bench.device)[1], bench.excerpts[0].to(bench.device)
    labels = grid(x.shape[-2], x.shape[-1], 4, 6)
    scorer = Scorer(network, 1, batch_size=256)
    score = subset_score(MaskedInput(x, labels, torch.full_like(x, float(x.min()))), scorer)
    passes = bench.sizes.passes
    for name, work in (
        ("LIME", lambda: lime(score, 24, passes)),
        ("E-LIME", lambda: evolve(score, 24, founders=passes // 2, population=passes // 20)),
    ):
        scorer.passes = 0
        seconds, peak = bench.seconds(work)
        report.rate(f"{name}, 24 segments", scorer.passes / seconds, "passes/s", peak)
