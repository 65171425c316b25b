"""What commands print: paths, tables or one JSON document."""

from __future__ import annotations

import errno
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ganexplain.errors import GanexplainError, terminal_safe
from ganexplain.files.atomic import Document
from ganexplain.runs.environment import discard_unwritable_output

if TYPE_CHECKING:  # nothing heavy is imported before a command runs
    from ganexplain.artifacts.attributions import AttributionRanking
    from ganexplain.artifacts.counterfactuals import Counterfactuals
    from ganexplain.artifacts.false_alarms import FoundAlarms
    from ganexplain.artifacts.input_description import InputDescription
    from ganexplain.artifacts.layers import NetworkLayers
    from ganexplain.artifacts.prediction import Prediction
    from ganexplain.artifacts.predictions import Predictions
    from ganexplain.artifacts.selection import Selection
    from ganexplain.stages.attribute import AttributeResult
    from ganexplain.stages.demo import DemoPage
    from ganexplain.stages.rerun import Repetition
    from ganexplain.stages.train_explainer import TrainedExplainer

WIDTH = 100  # characters of a table's line where no terminal says how many it has


def print_result(text: object) -> None:
    """Print a result; GanexplainError where it cannot be, but for a reader that has gone.

    What files put into it can give a terminal no commands.
    """
    try:
        typer.echo(terminal_safe(str(text)))
        sys.stdout.flush()
    except OSError as error:
        discard_unwritable_output()
        if error.errno != errno.EPIPE:  # as of `| head`: what is asked for is done
            raise GanexplainError(
                f"standard output cannot be written ({error.strerror}); send it elsewhere"
            ) from error


def json_text(document: Document) -> str:
    """A document of `--json`."""
    return json.dumps(document, indent=2)


def show_path(path: Path, as_json: bool) -> None:
    """The path of what was written; as JSON with the results of its run."""
    if as_json:
        run = json.loads((path.parent / "run.json").read_text())
        print_result(json_text({"path": str(path), **run["results"]}))
    else:
        print_result(path)


def show_paths(paths: list[Path], as_json: bool) -> None:
    """The paths of what was written, a line each."""
    if as_json:
        print_result(json_text({"paths": [str(path) for path in paths]}))
    else:
        print_result("\n".join(map(str, paths)))


def _terminal_width() -> int:
    """Characters of a line of the terminal."""
    return shutil.get_terminal_size((WIDTH, 24)).columns


def show_ranking(found: list[Selection] | AttributionRanking, as_json: bool) -> None:
    """Settings by rank, of one unit or the chosen ones of several; or attributions by rank."""
    from ganexplain.report.tables import attributions_table, chosen_table, ranking_table

    width = _terminal_width()
    if not isinstance(found, list):
        print_result(json_text(found.to_json()) if as_json else attributions_table(found))
    elif len(found) == 1:
        print_result(json_text(found[0].to_json()) if as_json else ranking_table(found[0], width))
    elif as_json:
        print_result(json_text({"units": [each.to_json() for each in found]}))
    else:
        print_result(chosen_table(found, width))


def show_validation(found: Prediction, as_json: bool) -> None:
    """What can be predicted with the examples, in a sentence and a table for each encoder."""
    from ganexplain.report.prediction import prediction_text

    print_result(json_text(found.to_json()) if as_json else prediction_text(found))


def show_predictions(found: Predictions, as_json: bool) -> None:
    """A line for each recording or picture."""
    if as_json:
        print_result(json_text(found.to_json()))
        return
    for picture in found.pictures:
        share = 100 * picture.probabilities[picture.class_name]
        print_result(f"{picture.file}\t{picture.class_name} {share:.1f} %")
    shown = found.classes[1:] if len(found.classes) == 2 else found.classes
    for recording in found.recordings:
        shares = [f"{name} {100 * recording.shares[name]:.1f} %" for name in shown]
        print_result("\t".join([recording.lab, *shares]))


def show_counterfactuals(found: Counterfactuals, as_json: bool) -> None:
    """Lines for each excerpt: what it was, and what would change the decision."""
    from ganexplain.report.counterfactuals import counterfactuals_text

    print_result(json_text(found.to_json()) if as_json else counterfactuals_text(found))


def show_false_alarms(found: FoundAlarms, as_json: bool) -> None:
    """Lines for each class: how often, by what, and the page."""
    from ganexplain.report.false_alarms import false_alarms_text

    print_result(json_text(found.to_json()) if as_json else false_alarms_text(found))


def show_attributions(result: AttributeResult, as_json: bool) -> None:
    """The path of the page, and the table of measures."""
    from ganexplain.report.tables import measures_text

    text = f"{result.report}\n{measures_text(result.table, _terminal_width())}"
    print_result(json_text(result.to_json()) if as_json else text)


def show_explainer(found: TrainedExplainer, as_json: bool) -> None:
    """The path of the explainer, and the table of its figures."""
    text = "\n".join([str(found.path), *found.table])
    print_result(json_text(found.to_json()) if as_json else text)


def show_input(found: InputDescription, as_json: bool) -> None:
    """The path of the description, and how far it is from the features of others."""
    print_result(json_text(found.to_json()) if as_json else "\n".join(found.lines))


def show_layers(found: NetworkLayers, as_json: bool) -> None:
    """The table of layers."""
    from ganexplain.report.tables import layers_table

    print_result(json_text(found.to_json()) if as_json else layers_table(found, _terminal_width()))


def show_differences(found: Repetition, as_json: bool) -> None:
    """What differs from the run repeated; exit status 1 where anything does."""
    if as_json:
        print_result(json_text(found.to_json()))
    else:
        for name in found.inputs_changed:
            print_result(f"{name}\tnot those of the run repeated")
        for name, change in found.files.items():
            print_result(f"{name}\t{change}")
    if not found.equal:
        raise typer.Exit(1)


def show_demo(found: DemoPage, as_json: bool) -> None:
    """The path of the page, and what to try next."""
    if as_json:
        print_result(json_text(found.to_json()))
        return
    lines = [f"# {what}\n{line}" for line, what in found.next_commands]
    print_result(
        "\n".join(
            [
                str(found.page),
                "",
                "To see and hear it, open it in a browser.",
                "To try next:",
                *lines,
            ]
        )
    )


def show_plain_path(path: Path, as_json: bool) -> None:
    """The path of what was written."""
    print_result(path)
