"""Materials Project through its client: summaries and descriptions, page by page, each page kept as it comes.

The key is read from the environment (``MP_API_KEY``), handed to the client, and neither printed nor stored.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ...errors import DataError, UsageError
from ...files import write_json
from ...progress import Progress, silent
from ..catalogue import Source
from ..crystals.errors import StructureError
from ..crystals.structures import structure_of_dict
from .records import Record, RecordReader, fill_structure, raw_names, text_of

KEY = "MP_API_KEY"
PAGE = 500
INDEX = "material_ids.json"


class Client(Protocol):
    """The part of ``mp_api.client.MPRester`` that is used."""

    @property
    def materials(self) -> Any:  # noqa: ANN401 - the client's own routes
        """Routes ``summary`` and ``robocrys``."""


class MaterialsProject(RecordReader):
    """Reads the pages that `fetch` wrote."""

    name = "materials_project"

    def inputs(self, source: Source, origin: Path) -> list[Path]:
        """Find the pages."""
        del source
        index = origin / INDEX
        if not index.is_file():
            raise DataError(
                f"{origin}: no pages of the Materials Project there. Get a free key at "
                f"https://materialsproject.org/api, set {KEY}, and add --download"
            )
        ids = json.loads(index.read_text(encoding="utf-8"))
        pages = [_page(origin, number) for number in range(-(-len(ids) // PAGE))]
        missing = [page for page in pages if not page.is_file()]
        if missing:
            raise DataError(
                f"{origin}: {len(missing)} of {len(pages)} pages are not there yet; --download goes on with "
                f"{missing[0].name}"
            )
        return pages

    def records(self, source: Source, paths: Sequence[Path], progress: Progress) -> Iterator[Mapping[str, Any]]:
        """Yield the documents of all pages."""
        del source
        for number, path in enumerate(paths, start=1):
            try:
                page = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise DataError(f"{path}: damaged; delete it and fetch it again with --download") from error
            yield from page
            progress("read pages", number, len(paths))

    def convert(self, source: Source, record: Mapping[str, Any]) -> Record:
        """Write the CIF of the structure."""
        out = Record(
            material_id=text_of(record.get(source.download.id_column)),
            composition=text_of(record.get("formula_pretty")),
            description=text_of(record.get("description")),
            properties={name: record.get(raw) for name, raw in raw_names(source).items()},
        )
        try:
            return fill_structure(out, structure_of_dict(record.get("structure")))
        except StructureError:
            out.marked = ("unreadable_structure",)
            return out


def fetch(
    source: Source,
    folder: Path,
    progress: Progress = silent,
    client: Callable[[str], Client] | None = None,
) -> None:
    """Fetch all pages that are not there yet; a page is written whole, so a killed run goes on where it was.

    Args:
        source: Declaration of the source.
        folder: Where the pages go.
        progress: Told how many pages are there.
        client: Makes the client from the key; mp-api's own if left out.

    Raises:
        UsageError: There is no key, or mp-api is not installed.
        DataError: The client fails; what was fetched is kept.
    """
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise UsageError(
            f"{source.id}: set {KEY} to your key of the Materials Project (free: https://materialsproject.org/api)"
        )
    rester = (client or _client)(key)
    fields = ["material_id", "formula_pretty", "structure", *raw_names(source).values()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        ids = _ids(rester, folder)
        pages = -(-len(ids) // PAGE)
        for number in range(pages):
            path = _page(folder, number)
            if not path.is_file():
                wanted = ids[number * PAGE : (number + 1) * PAGE]
                write_json(path, _fetch_page(rester, wanted, fields))
            progress("fetch pages", number + 1, pages)
    except (UsageError, DataError):
        raise
    except Exception as error:  # whatever the client raises; its text could quote the request with the key
        reason = str(error).replace(key, "***").replace("\n", " ")[:300]
        raise DataError(
            f"{source.id}: the Materials Project did not answer: {type(error).__name__}: {reason}. The same call goes "
            "on where it left off"
        ) from None


def _ids(rester: Client, folder: Path) -> list[str]:
    """List all ids once; the list is kept so that pages mean the same on every call."""
    path = folder / INDEX
    if not path.is_file():
        documents = rester.materials.summary.search(deprecated=False, fields=["material_id"])
        write_json(path, sorted(str(_dict(document)["material_id"]) for document in documents))
    return list(json.loads(path.read_text(encoding="utf-8")))


def _fetch_page(rester: Client, ids: Sequence[str], fields: Sequence[str]) -> list[dict[str, Any]]:
    documents = {}
    for document in rester.materials.summary.search(material_ids=list(ids), fields=list(fields)):
        values = {name: _plain(value) for name, value in _dict(document).items() if name in fields}
        documents[str(values["material_id"])] = values
    missing = [one for one in ids if one not in documents]
    if missing:
        raise DataError(f"Materials Project: no summary of {', '.join(missing[:3])} ({len(missing)} of {len(ids)})")
    for document in rester.materials.robocrys.search_docs(
        material_ids=list(ids), all_fields=False, fields=["material_id", "description"]
    ):
        values = _dict(document)
        if str(values["material_id"]) in documents:
            documents[str(values["material_id"])]["description"] = values.get("description")
    return [documents[one] for one in ids]


def _page(folder: Path, number: int) -> Path:
    return folder / f"page-{number:05d}.json"


def _dict(document: Any) -> dict[str, Any]:  # noqa: ANN401 - the client gives models or dicts
    return dict(document) if isinstance(document, Mapping) else dict(document.model_dump())


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a document holds
    if hasattr(value, "as_dict"):
        return value.as_dict()
    return value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else str(value)


def _client(key: str) -> Client:
    try:
        from mp_api.client import MPRester
    except ImportError as error:
        raise UsageError(
            "the Materials Project needs mp-api: pip install 'llm4mat-bench[materials-project]'"
        ) from error
    rester: Client = MPRester(key, use_document_model=False, mute_progress_bars=True)
    return rester
