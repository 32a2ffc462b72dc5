"""Publishing on the Hugging Face Hub: what would go, is it fit to go, and sending it.

The parts, in the order in which a push uses them: ``preflight`` (is the folder what it should be), ``state`` (what the
Hub holds), ``plan`` (what differs), ``upload`` (send it, in one commit, and look whether it arrived), ``errors`` (one
line for whatever failed).
"""

from .errors import HubError
from .plan import make_plan
from .preflight import check_dataset_folder, check_metric_folder
from .records import FileChange, FolderSummary, HubState, PushPlan, PushResult, RemoteFile
from .state import hub_api, read_state
from .upload import push_folder

__all__ = [
    "FileChange",
    "FolderSummary",
    "HubError",
    "HubState",
    "PushPlan",
    "PushResult",
    "RemoteFile",
    "check_dataset_folder",
    "check_metric_folder",
    "hub_api",
    "make_plan",
    "push_folder",
    "read_state",
]
