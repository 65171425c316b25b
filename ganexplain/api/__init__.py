"""The whole tool from Python: arrays and paths in, records out.

    import ganexplain

Each command is a function, and its options are arguments. A network is a torch
module, a function from arrays (B, ...) to arrays, or the path of what --classifier or --model take.
A record of one command can be passed to the next in place of a path.
"""

from ganexplain.api.arrays import layers, respond
from ganexplain.api.records import (
    Attribution,
    Counterfactual,
    Described,
    Explainer,
    FalseAlarms,
    File,
    Page,
    Predicted,
    Rerun,
    TrainedClassifier,
    TrainedGan,
    Validated,
)
from ganexplain.api.runs import Run
from ganexplain.api.stages import (
    attribute,
    counterfactual,
    demo,
    describe_input,
    explain,
    false_alarms,
    label_stems,
    predict,
    rerun,
    responses,
    run,
    select,
    train_classifier,
    train_explainer,
    train_gan,
    validate,
    write_report,
)
from ganexplain.api.units import Explanation, Responses, Selection, rank
from ganexplain.api.whole import WholeRun

__all__ = [
    "Attribution", "Counterfactual", "Described", "Explainer", "Explanation", "FalseAlarms", "File",
    "Page", "Predicted", "Rerun", "Responses", "Run", "Selection", "TrainedClassifier",
    "TrainedGan", "Validated", "WholeRun", "attribute", "counterfactual", "demo", "describe_input",
    "explain", "false_alarms", "label_stems", "layers", "predict", "rank", "rerun", "respond",
    "responses", "run", "select", "train_classifier", "train_explainer", "train_gan", "validate",
    "write_report",
]  # fmt: skip
