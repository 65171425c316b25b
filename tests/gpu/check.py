"""Is ganexplain right on this GPU, and how fast? One JSON file of checks and rates.

    tests/gpu/check.sh --out gpu.json            # at most eight minutes of one GPU
    tests/gpu/check.sh --device cpu --tiny       # every step once, in seconds

Checks compare the device with the CPU in float32 (responses, trajectories), and trainings that are
resumed with those that are not. Rates are those of the paper's grid (27 settings of 50 examples,
1,000 iterations), of trainings, and of LIME and E-LIME. The exit status is 1 if a check fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch
from gpu.bench import Bench, Report, Sizes, first_line
from gpu.checks import check_responses, check_resume, check_trajectories
from gpu.rates import local_rates, search_rates, training_rates

from ganexplain.files.atomic import write_bytes

STEPS = (
    check_responses, check_trajectories, check_resume, search_rates, training_rates, local_rates
)  # fmt: skip


def main() -> int:
    """Run all steps that the time allows, and write the report after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--minutes", type=float, default=8.0, help="no step begins after this time")
    parser.add_argument("--tiny", action="store_true", help="every step once, at a tiny size")
    options = parser.parse_args()
    device = torch.device(options.device)
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else str(device)
    report = Report(name, torch.__version__)
    bench = Bench(device, Sizes.tiny() if options.tiny else Sizes())
    started = time.monotonic()
    for step in STEPS:
        if time.monotonic() - started > 60 * options.minutes:
            report.left_out[step.__name__] = f"the {options.minutes:g} minutes were over"
        else:
            try:
                step(bench, report)
            except Exception as error:
                report.left_out[step.__name__] = first_line(error)
                print(f"FAILED: {step.__name__}: {first_line(error)}", file=sys.stderr)
        write_bytes(options.out, json.dumps(asdict(report), indent=2).encode())
    print(f"{options.out}: {time.monotonic() - started:.0f} s, {name}")
    failed = any(not check["passed"] for check in report.checks)
    return int(failed or any(step.__name__ in report.left_out for step in STEPS))


if __name__ == "__main__":
    sys.exit(main())
