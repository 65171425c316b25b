"""What pyproject.toml cannot say: the wheel carries networks and recordings of sample_data/."""

import csv
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent))  # a build does not search the checkout
from ganexplain.files.shipped import NETWORKS  # which imports nothing that is installed

SAMPLE = Path("sample_data")  # relative: setuptools runs in this folder, and takes no other paths


def carried() -> list[Path]:
    """The files that `ganexplain demo` reads, and what they were made of."""
    with (SAMPLE / "demo.csv").open(newline="") as stream:
        recordings = sorted({row["path"] for row in csv.DictReader(stream)})
    networks = [f"pretrained/{name}.pt" for name in NETWORKS]
    return [SAMPLE / name for name in ("demo.csv", "SOURCES.md", *networks, *recordings)]


class BuildPackage(build_py):
    """Builds the package with its data, which are in the checkout once, for all their uses."""

    def get_source_files(self) -> list[str]:
        """What the sdist must contain."""
        return [*super().get_source_files(), *map(str, carried())]

    def run(self) -> None:
        """Copy the data beside the modules; an editable installation finds them in the checkout."""
        super().run()
        if not self.editable_mode:
            for path in carried():
                target = Path(self.build_lib) / "ganexplain" / path
                self.mkpath(str(target.parent))
                self.copy_file(str(path), str(target))


setup(cmdclass={"build_py": BuildPackage})
