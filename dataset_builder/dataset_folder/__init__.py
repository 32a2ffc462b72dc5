"""Dataset folders: layout, reading, writing, report and card, and the tasks in them."""

from .identity import TaskIdentity, task_identity
from .labels import SplitLabels, TaskLabels, read_labels
from .places import EMBEDDED
from .reading import DatasetFolder, SourceFiles, open_dataset_folder, source_names
from .report import BuildReport, Shard, SourceReport, SplitReport
from .tasks import check_modality, load_task

__all__ = [
    "EMBEDDED",
    "BuildReport",
    "DatasetFolder",
    "Shard",
    "SourceFiles",
    "SourceReport",
    "SplitLabels",
    "SplitReport",
    "TaskIdentity",
    "TaskLabels",
    "check_modality",
    "load_task",
    "open_dataset_folder",
    "read_labels",
    "source_names",
    "task_identity",
]
