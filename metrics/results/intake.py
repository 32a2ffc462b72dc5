"""Take in what a pull request adds: a list of changes and a tar of data, from which only result files are written.

For continuous integration that verifies submissions of strangers: nothing here runs, imports or follows anything of
theirs. See docs/submitting.md and docs/verify-submission.yml.
"""

import re
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ...errors import DataError, LLM4MatError
from ...files import replace_folder
from .names import visible
from .record import PREDICTIONS_FILE, RESULT_FILE, read_record

MOST_FILES = 2000
LARGEST_FILE = 64 << 20
LARGEST_SUM = 1 << 30
_PART = r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,200}"
_PLACE = re.compile(rf"results/(?P<run>(?:{_PART}/){{4}})(?:{re.escape(RESULT_FILE)}|{re.escape(PREDICTIONS_FILE)})")


def take_in(changed: bytes, archive: Path, out: Path) -> list[Path]:
    """Write the runs that a pull request adds into a folder.

    Args:
        changed: What ``git diff --no-renames --name-status -z`` says of the whole pull request.
        archive: What ``git archive --format=tar COMMIT`` wrote.
        out: Folder of results to write, replaced whole.

    Returns:
        The run folders.

    Raises:
        DataError: The pull request does something else than add runs, or too much; every reason on a line of its own.
    """
    added, faults = _added(changed)
    if faults:
        raise DataError("\n".join(faults))
    runs = sorted({str(PurePosixPath(path).parent.relative_to("results")) for path in added})
    with replace_folder(out) as folder:
        _extract(archive, added, folder)
        for run in runs:
            record = read_record(folder / run / RESULT_FILE)
            place = PurePosixPath(record.task, record.modality, record.run_id)
            if str(place) != run:
                faults.append(f"results/{run}: holds the run {visible(str(place), 300)}; a run lies under its own name")
        if faults:
            raise DataError("\n".join(faults))
    return [out / run for run in runs]


def _added(changed: bytes) -> tuple[set[str], list[str]]:
    """Paths that are added, and what else is done.

    No line begins with a path, which a stranger has chosen: what begins with ``::`` is a command to GitHub's runner.
    """
    words = changed.decode("utf-8", "replace").split("\0")[:-1]
    pairs = list(zip(words[::2], words[1::2], strict=False))
    if not pairs:
        return set(), ["the pull request changes nothing"]
    if len(pairs) > MOST_FILES:
        return set(), [f"{len(pairs):,} files are changed; at most {MOST_FILES:,} a pull request"]
    faults = []
    for status, path in pairs:
        shown = visible(path, 300)
        if _PLACE.fullmatch(path) is None or ".." in path:
            faults.append(
                f"the file {shown}: a submission adds results/SOURCE/PROPERTY/MODALITY/RUN/{RESULT_FILE} and "
                f"{PREDICTIONS_FILE}, and nothing else"
            )
        elif status != "A":
            faults.append(f"the file {shown}: there already; a submission adds runs and changes or deletes none")
    return {path for _, path in pairs}, faults


def _extract(archive: Path, wanted: set[str], folder: Path) -> None:
    """Write plain files of the archive, one by one, under names that were checked.

    Raises:
        DataError: One is no plain file, too large, or not in the archive.
    """
    total, left = 0, set(wanted)
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                if member.name not in left:
                    continue
                if not member.isreg():
                    raise DataError(f"the file {member.name}: no plain file (a link?)")
                total += member.size
                if member.size > LARGEST_FILE or total > LARGEST_SUM:
                    raise DataError(
                        f"the file {member.name}: {member.size:,} bytes; at most {LARGEST_FILE:,} a file, "
                        f"{LARGEST_SUM:,} in all"
                    )
                content = tar.extractfile(member)
                assert content is not None  # noqa: S101 - it is a plain file
                path = folder / PurePosixPath(member.name).relative_to("results")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
                left.discard(member.name)
    except tarfile.TarError as error:
        raise DataError(f"{archive}: not a readable tar ({error})") from error
    if left:
        raise DataError(f"the file {min(left)}: not in the archive ({len(left)} of {len(wanted)} files)")


def main(arguments: Sequence[str]) -> int:
    """``python -I -m llm4mat_bench.metrics.results.intake CHANGED TAR OUT``: say what was taken in, or why not."""
    if len(arguments) != 3:
        sys.stderr.write("usage: CHANGED TAR OUT\n")
        return 2
    changed, archive, out = map(Path, arguments)
    try:
        runs = take_in(changed.read_bytes(), archive, out)
    except (LLM4MatError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{len(runs)} runs taken in\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
