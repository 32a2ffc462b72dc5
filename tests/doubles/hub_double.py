"""A double of the Hugging Face Hub: a real HTTP server on the loopback interface, for tests only.

It is NOT the Hub. It answers the requests that ``huggingface_hub`` 2.x and ``datasets`` 5.x make to create, fill, list
and read repositories, over plain LFS; it knows nothing of Xet storage, gated repositories, viewers or
web pages. Whatever passes here has been shown to work with the client library and this reading of the protocol; whether
the real Hub agrees can only be seen there.

Use it as a fixture (``from hub_double import hub`` in a conftest.py)::

    def test_something(hub):
        hub.add_token("hf_test", namespaces=["org"])
        subprocess.run([...], env={**os.environ, **hub.environment("hf_test", home=tmp_path)})
        assert hub.repo("dataset", "org/name").files()["README.md"].content == ...
        assert hub.uploads() == []          # contents that travelled since the last hub.forget()

or ``hub.use(monkeypatch, "hf_test", tmp_path)`` for the test's own process; and, since it is reached over TCP, by hand:
``python tests/doubles/hub_double.py --token hf_test org`` runs one to play with. Faults on order:
`HubDouble.die_after_uploads`, `HubDouble.revive`, `HubDouble.fail`, `HubDouble.lose_commit_answer`,
`HubDouble.cut_uploads`, `HubDouble.damage_uploads`.

The repository state is a chain of immutable commits in memory; large contents lie in ``objects`` under their SHA-256,
before and independent of any commit, as on the Hub: that is what makes an upload resumable.
"""

import base64
import fnmatch
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

_LARGE_SUFFIXES = (".parquet", ".arrow", ".bin", ".safetensors", ".zip", ".gz", ".npy", ".png", ".jpg")
_LARGE_BYTES = 10_000_000
_GITATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"
_DATE = "2026-01-01T00:00:00.000Z"
_WRITES = {"POST", "PUT", "DELETE"}


@dataclass(frozen=True)
class Blob:
    """The content of one file at one commit."""

    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        """SHA-256 of the content: the name of a large file in the storage."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git holds in place of a large file."""
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()
        )

    @property
    def blob_id(self) -> str:
        """Git's id: of the content, or of the pointer of a large file."""
        held = self.pointer if self.large else self.content
        return hashlib.sha1(b"blob %d\0" % len(held) + held).hexdigest()

    @property
    def etag(self) -> str:
        """What the Hub gives as the ETag."""
        return self.sha256 if self.large else self.blob_id


@dataclass(frozen=True)
class Commit:
    """A state of a repository."""

    sha: str
    parent: str | None
    message: str
    tree: dict[str, Blob]


@dataclass
class Repo:
    """A repository: commits, and branches that point at them."""

    kind: str
    name: str
    private: bool
    sdk: str | None = None
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    requests: dict[int, str] = field(default_factory=dict)
    """Titles of the open pull requests, by number."""

    def commit(self, branch: str, tree: dict[str, Blob], message: str) -> Commit:
        """Add a commit and move the branch to it."""
        parent = self.branches.get(branch)
        listing = sorted((path, blob.blob_id) for path, blob in tree.items())
        sha = hashlib.sha1(json.dumps([parent, message, len(self.commits), listing]).encode()).hexdigest()
        made = Commit(sha, parent, message, dict(tree))
        self.commits[sha] = made
        self.branches[branch] = sha
        return made

    def at(self, revision: str) -> Commit | None:
        """Return the commit of a branch, or with a full or short hash."""
        if revision in self.branches:
            return self.commits[self.branches[revision]]
        found = [sha for sha in self.commits if len(revision) >= 7 and sha.startswith(revision)]
        return self.commits[found[0]] if found else None

    def files(self, revision: str = "main") -> dict[str, Blob]:
        """Return the files at a revision."""
        commit = self.at(revision)
        assert commit is not None, f"{self.name} has no {revision}"
        return commit.tree

    def history(self, branch: str = "main") -> list[Commit]:
        """Return the commits of a branch, newest first."""
        commits, sha = [], self.branches.get(branch)
        while sha is not None:
            commits.append(self.commits[sha])
            sha = self.commits[sha].parent
        return commits


@dataclass(frozen=True)
class Request:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> str | None:
        """The token it carries."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else None

    def json(self) -> dict:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What goes back; ``drop`` closes the connection without a word."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


def as_json(value: object, status: int = 200, **headers: str) -> Answer:
    """Build an answer of JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


class Refusal(Exception):
    """Raised by a route to answer with an error, as the Hub words it."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
        self.answer = as_json({"error": message}, status, **headers)
        super().__init__(message)


@dataclass
class _Fault:
    method: str
    pattern: str
    answer: Callable[[Request], Answer]
    times: int


_REPO = r"(?P<kind>dataset|space|model)s/(?P<name>[^/]+/[^/]+)"
_FRONT = r"(?:(?P<kind>dataset|space)s/)?(?P<name>[^/]+/[^/]+)"


class HubDouble:
    """The state of the double and the server before it.

    Attributes:
        repos: Repositories by (kind, name).
        objects: Large contents by SHA-256.
        requests: Every request since the start or the last `forget`, in the order they came in.
        page_size: Entries in one page of a listing; the Hub's is 1000.
        upload_seconds: How long the storage takes for each content.
        waits: Seconds that the program would have waited, had its waits not been taken out by `use`.
        ignored: Patterns of paths that the Hub would leave out of commits (a ``.gitignore``).
    """

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.page_size = 1000
        self.upload_seconds = 0.0
        self.ignored: list[str] = []
        self.waits: list[float] = []
        self.cuts = 0
        self._damages = 0
        self._noticed = True
        self._tokens: dict[str, tuple[str, ...]] = {}
        self._faults: list[_Fault] = []
        self._lock = threading.RLock()
        self._uploads_left: int | None = None
        self._server: _Server | None = None
        self._port = 0
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            (method, re.compile(pattern + r"/?$"), answer)
            for method, pattern, answer in (
                ("GET", r"/api/whoami-v2", self._whoami),
                ("POST", r"/api/repos/create", self._create_repo),
                ("POST", r"/api/validate-yaml", self._validate_yaml),
                ("GET", rf"/api/{_REPO}/refs", self._refs),
                ("GET", rf"/api/{_REPO}/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?", self._tree),
                ("GET", rf"/api/{_REPO}/discussions", self._discussions),
                ("POST", rf"/api/{_REPO}/paths-info/(?P<revision>[^/]+)", self._paths_info),
                ("POST", rf"/api/{_REPO}/branch/(?P<branch>[^/]+)", self._create_branch),
                ("GET", r"/api/datasets/(?P<name>[^/]+/[^/]+)/leaderboard", self._leaderboard),
                ("POST", rf"/api/{_REPO}/preupload/(?P<revision>[^/]+)", self._preupload),
                ("POST", rf"/api/{_REPO}/commit/(?P<revision>[^/]+)", self._commit),
                ("GET", rf"/api/{_REPO}(?:/revision/(?P<revision>[^/]+))?", self._info),
                ("POST", rf"/{_FRONT}\.git/info/lfs/objects/batch", self._lfs_batch),
                ("PUT", r"/storage/(?P<sha256>[0-9a-f]{64})", self._store),
                ("GET", rf"/{_FRONT}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", self._resolve),
            )
        ]

    # ------------------------------------------------------------------ for tests

    @property
    def url(self) -> str:
        """The address, for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self._port}"

    def environment(self, token: str | None, home: Path) -> dict[str, str]:
        """Return the variables that turn a process towards the double, with a home of its own.

        They must be set before ``huggingface_hub`` is imported, so: for a new process.
        """
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_TOKEN": token or "",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def use(self, monkeypatch: pytest.MonkeyPatch, token: str | None, home: Path) -> None:
        """Turn this process towards the double for the length of a test, and take the waits out of retries."""
        from huggingface_hub import constants
        from huggingface_hub.utils import _http

        for name, value in self.environment(token, home).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(constants, "ENDPOINT", self.url)
        template = self.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda _: None, monotonic=time.monotonic))
        monkeypatch.setattr("llm4mat_bench.hub.patience.pause", self.waits.append)

    def add_token(self, token: str, namespaces: Sequence[str] = ()) -> str:
        """Make a token valid, with write access to some namespaces; it can read what is private in these."""
        self._tokens[token] = tuple(namespaces)
        return token

    def add_repo(self, kind: str, name: str, *, private: bool = False, sdk: str | None = None) -> Repo:
        """Make a repository as the Hub does: one commit that holds ``.gitattributes``."""
        repo = Repo(kind, name, private, sdk)
        repo.commit("main", {".gitattributes": Blob(_GITATTRIBUTES, large=False)}, "initial commit")
        self.repos[kind, name] = repo
        return repo

    def repo(self, kind: str, name: str) -> Repo:
        """Return a repository; KeyError if there is none."""
        return self.repos[kind, name]

    def uploads(self) -> list[str]:
        """Return the SHA-256 of each content that was put into the storage since `forget`."""
        return [request.path.rsplit("/", 1)[1] for request in self.requests if request.method == "PUT"]

    def writes(self) -> list[str]:
        """Return method and path of the requests since `forget` that change something."""
        harmless = ("/api/validate-yaml", "/preupload/", "/paths-info/")
        return [
            f"{request.method} {request.path}"
            for request in self.requests
            if request.method in _WRITES and not any(part in request.path for part in harmless)
        ]

    def forget(self) -> None:
        """Empty the list of requests."""
        self.requests.clear()

    def die_after_uploads(self, count: int) -> None:
        """Stop serving, listening socket and all, once so many contents have been stored."""
        self._uploads_left = count

    def revive(self) -> None:
        """Serve again at the same address, with everything that was stored."""
        self._uploads_left = None
        self.start()

    def fail(
        self,
        method: str,
        pattern: str,
        status: int = 500,
        message: str = "fault on order",
        times: int = 1,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer the next requests that match with an error.

        Args:
            method: The method.
            pattern: A shell pattern for the path.
            status: The status of the answer.
            message: What it says; ``{authorization}`` stands for the request's header, as a careless proxy echoes it.
            times: How often.
            headers: More headers of the answer, such as ``Retry-After``.
        """

        def answer(request: Request) -> Answer:
            said = message.replace("{authorization}", request.headers.get("authorization", ""))
            refusal = Refusal(status, said).answer
            return replace(refusal, headers={**refusal.headers, **(headers or {})})

        self._faults.append(_Fault(method, pattern, answer, times))

    def cut_uploads(self, times: int = 1) -> None:
        """Close the connection in the middle of the next contents that are sent to the storage."""
        self.cuts = times

    def damage_uploads(self, times: int = 1, *, noticed: bool = True) -> None:
        """Change a byte of the next contents on their way into the storage.

        Args:
            times: Of how many.
            noticed: Whether the storage compares the content with the hash that it was announced with, as it does; else
                it keeps the damaged content under that hash.
        """
        self._damages, self._noticed = times, noticed

    def lose_commit_answer(self) -> None:
        """Carry out the next commit, but close the connection instead of saying so."""

        def answer(request: Request) -> Answer:
            self._route(request)
            return Answer(drop=True)

        self._faults.append(_Fault("POST", "/api/*/commit/*", answer, 1))

    # ------------------------------------------------------------------ serving

    def start(self) -> None:
        """Listen on a free port, or after a stop on the same one."""
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and close what connections there are."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.close_connections()

    @property
    def dead(self) -> bool:
        """Whether it has died (or not been started)."""
        return self._server is None or self._uploads_left == 0

    def handle(self, request: Request) -> Answer:
        """Answer a request; called by the server's threads."""
        if request.method == "PUT":
            time.sleep(self.upload_seconds)
        with self._lock:
            if self.dead:
                return Answer(drop=True)
            self.requests.append(request)
            for fault in self._faults:
                if fault.method == request.method and fnmatch.fnmatch(request.path, fault.pattern):
                    fault.times -= 1
                    self._faults = [one for one in self._faults if one.times > 0]
                    return fault.answer(request)
            answer = self._route(request)
            if request.method == "PUT" and self._uploads_left is not None:
                self._uploads_left -= 1
                if self._uploads_left == 0:
                    threading.Thread(target=self.stop, daemon=True).start()
            return answer

    def _route(self, request: Request) -> Answer:
        method = "GET" if request.method == "HEAD" else request.method
        for wanted, pattern, answer in self._routes:
            if wanted == method and (match := pattern.match(request.path)):
                try:
                    return answer(
                        request, **{key: value and unquote(value) for key, value in match.groupdict().items()}
                    )
                except Refusal as refusal:
                    return refusal.answer
        return Refusal(404, f"the double has no route for {request.method} {request.path}").answer

    # ------------------------------------------------------------------ who may do what

    def _known(self, request: Request) -> tuple[str, ...] | None:
        token = request.token
        if token is None:
            return None
        if token not in self._tokens:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return self._tokens[token]

    def _may_write(self, request: Request, name: str) -> None:
        namespaces = self._known(request)
        if namespaces is None:
            raise Refusal(401, "Invalid username or password.")
        if name.split("/", maxsplit=1)[0] not in namespaces:
            raise Refusal(
                403, f'You don\'t have the rights to write to the namespace "{name.split("/", maxsplit=1)[0]}"'
            )

    def _may_propose(self, request: Request) -> None:
        if self._known(request) is None:
            raise Refusal(401, "Invalid username or password.")

    def _find(self, request: Request, kind: str | None, name: str) -> Repo:
        namespaces = self._known(request)
        repo = self.repos.get((kind or "model", name))
        if repo is None or (repo.private and name.split("/", maxsplit=1)[0] not in (namespaces or ())):
            # The Hub does not tell a stranger whether a repository exists.
            if namespaces is None:
                raise Refusal(401, "Invalid username or password.")
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return repo

    def _at(self, repo: Repo, revision: str) -> Commit:
        commit = repo.at(revision)
        if commit is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    # ------------------------------------------------------------------ routes

    def _whoami(self, request: Request) -> Answer:
        namespaces = self._known(request)
        if namespaces is None:
            raise Refusal(401, "Invalid username or password.")
        return as_json({"type": "user", "name": "tester", "orgs": [{"name": name} for name in namespaces]})

    def _create_repo(self, request: Request) -> Answer:
        body = request.json()
        kind = body.get("type", "model")
        name = f"{body.get('organization') or 'tester'}/{body['name']}"
        self._may_write(request, name)
        if kind == "space" and not body.get("sdk"):
            raise Refusal(400, "sdk is missing")
        url = f"{self.url}/{'' if kind == 'model' else kind + 's/'}{name}"
        if (kind, name) in self.repos:
            return as_json({"error": "You already created this repo", "url": url}, 409)
        self.add_repo(kind, name, private=body.get("visibility") == "private", sdk=body.get("sdk"))
        return as_json({"url": url, "name": name, "id": name})

    def _validate_yaml(self, request: Request) -> Answer:
        content = request.json()["content"]
        match = re.match(r"---\r?\n(.*?)\r?\n---", content, re.DOTALL)
        try:
            metadata = yaml.safe_load(match[1]) if match else {}
        except yaml.YAMLError as error:
            return as_json({"errors": [{"message": str(error)}], "warnings": []}, 400)
        if not isinstance(metadata, dict):
            return as_json({"errors": [{"message": "the YAML must be a mapping"}], "warnings": []}, 400)
        warnings = [] if metadata else [{"message": "empty or missing yaml metadata in repo card"}]
        return as_json({"errors": [], "warnings": warnings})

    def _info(self, request: Request, kind: str, name: str, revision: str | None) -> Answer:
        repo = self._find(request, kind, name)
        commit = self._at(repo, revision or "main")
        return as_json(
            {
                "_id": "0" * 24,
                "id": name,
                "author": name.split("/", maxsplit=1)[0],
                "sha": commit.sha,
                "private": repo.private,
                "gated": False,
                "disabled": False,
                "tags": [],
                "downloads": 0,
                "likes": 0,
                "createdAt": _DATE,
                "lastModified": _DATE,
                "siblings": [{"rfilename": path} for path in sorted(commit.tree)],
                **({"sdk": repo.sdk} if repo.sdk else {}),
            }
        )

    def _refs(self, request: Request, kind: str, name: str) -> Answer:
        repo = self._find(request, kind, name)
        branches = [{"name": b, "ref": f"refs/heads/{b}", "targetCommit": sha} for b, sha in repo.branches.items()]
        return as_json({"branches": branches, "tags": [], "converts": []})

    def _tree(self, request: Request, kind: str, name: str, revision: str, path: str | None) -> Answer:
        commit = self._at(self._find(request, kind, name), revision)
        base = f"{path.strip('/')}/" if path else ""
        below = {one: blob for one, blob in commit.tree.items() if one.startswith(base)}
        if not below:
            raise Refusal(404, f"{path} does not exist on {revision}", "EntryNotFound")
        entries: dict[str, dict] = {}
        deep = request.query.get("recursive", "").lower() in ("true", "1")
        for one, blob in below.items():
            parts = one.removeprefix(base).split("/")
            for depth in range(1, len(parts) if deep else min(len(parts), 2)):
                folder = base + "/".join(parts[:depth])
                entries[folder] = {"type": "directory", "path": folder, "size": 0, "oid": "0" * 40}
            if deep or len(parts) == 1:
                entries[one] = _entry(one, blob)
        ordered = [entries[key] for key in sorted(entries)]
        start = int(request.query.get("cursor", 0))
        page = ordered[start : start + self.page_size]
        headers = {}
        if start + self.page_size < len(ordered):
            query = "&".join(f"{key}={value}" for key, value in request.query.items() if key != "cursor")
            following = f"{self.url}{request.path}?{query}&cursor={start + self.page_size}"
            headers["Link"] = f'<{following}>; rel="next"'
        return as_json(page, **headers)

    def _paths_info(self, request: Request, kind: str, name: str, revision: str) -> Answer:
        tree = self._at(self._find(request, kind, name), revision).tree
        if request.headers.get("content-type", "").startswith("application/json"):
            paths = request.json().get("paths", [])
        else:
            paths = parse_qs(request.body.decode()).get("paths", [])
        entries = []
        for path in [paths] if isinstance(paths, str) else paths:
            if path in tree:
                entries.append(_entry(path, tree[path]))
            elif any(one.startswith(f"{path.strip('/')}/") for one in tree):
                entries.append({"type": "directory", "path": path, "size": 0, "oid": "0" * 40})
        return as_json(entries)

    def _create_branch(self, request: Request, kind: str, name: str, branch: str) -> Answer:
        self._may_write(request, name)
        repo = self._find(request, kind, name)
        if branch in repo.branches:
            raise Refusal(409, "Reference already exists")
        repo.branches[branch] = self._at(repo, (request.json() or {}).get("startingPoint", "main")).sha
        return as_json({})

    def _discussions(self, request: Request, kind: str, name: str) -> Answer:
        """The open pull requests, two a page."""
        repo = self._find(request, kind, name)
        start = 2 * int(request.query.get("p", 0))
        listed = [
            {
                "title": title,
                "num": number,
                "author": {"name": "somebody"},
                "createdAt": _DATE,
                "status": "open",
                "repo": {"name": name, "type": kind},
                "isPullRequest": True,
            }
            for number, title in sorted(repo.requests.items(), reverse=True)
        ]
        return as_json({"count": len(listed), "start": start, "discussions": listed[start : start + 2]})

    def _preupload(self, request: Request, kind: str, name: str, revision: str) -> Answer:
        self._may_propose(request) if "create_pr" in request.query else self._may_write(request, name)
        tree = self._at(self._find(request, kind, name), revision).tree
        files = []
        for wanted in request.json()["files"]:
            path, held = wanted["path"], tree.get(wanted["path"])
            large = path.endswith(_LARGE_SUFFIXES) or wanted["size"] > _LARGE_BYTES
            files.append(
                {
                    "path": path,
                    "uploadMode": "lfs" if large else "regular",
                    "shouldIgnore": any(fnmatch.fnmatch(path, pattern) for pattern in self.ignored),
                    "oid": held.etag if held else None,
                }
            )
        return as_json({"files": files})

    def _lfs_batch(self, request: Request, kind: str | None, name: str) -> Answer:
        # Without a branch it is for a pull request, which whoever may read may open.
        self._may_write(request, name) if "ref" in request.json() else self._may_propose(request)
        self._find(request, kind, name)
        objects = []
        for wanted in request.json()["objects"]:
            known = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.objects:
                known["actions"] = {"upload": {"href": f"{self.url}/storage/{wanted['oid']}", "header": {}}}
            objects.append(known)
        return as_json({"transfer": "basic", "objects": objects})

    def _store(self, request: Request, sha256: str) -> Answer:
        # Like a presigned address of the storage: it must work without a token.
        body = request.body
        noticed = True
        if self._damages:
            self._damages -= 1
            body, noticed = body[:-1] + bytes([body[-1] ^ 1]), self._noticed
        if noticed and hashlib.sha256(body).hexdigest() != sha256:
            raise Refusal(400, "the content does not have the hash it was announced with")
        self.objects[sha256] = body
        return Answer()

    def _commit(self, request: Request, kind: str, name: str, revision: str) -> Answer:
        proposed = "create_pr" in request.query
        self._may_propose(request) if proposed else self._may_write(request, name)
        repo = self._find(request, kind, name)
        head = self._at(repo, revision)
        header: dict = {}
        tree = dict(head.tree)
        for line in request.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            match item["key"]:
                case "header":
                    header = value
                case "file":
                    tree[value["path"]] = Blob(base64.b64decode(value["content"]), large=False)
                case "lfsFile":
                    if value["oid"] not in self.objects:
                        raise Refusal(400, f"the storage has no object {value['oid']} for {value['path']}")
                    tree[value["path"]] = Blob(self.objects[value["oid"]], large=True)
                case "deletedFile":
                    if tree.pop(value["path"], None) is None:
                        raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
                case "deletedFolder":
                    tree = {path: blob for path, blob in tree.items() if not path.startswith(value["path"])}
                case other:
                    raise Refusal(400, f"the double does not know the operation {other}")
        if header.get("parentCommit") and not head.sha.startswith(header["parentCommit"]):
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        number = 1 + sum(branch.startswith("refs/pr/") for branch in repo.branches)
        if proposed:
            revision = f"refs/pr/{number}"
            repo.branches[revision] = head.sha
            repo.requests[number] = header["summary"]
        made = repo.commit(revision, tree, header["summary"])
        prefix = "" if kind == "model" else f"{kind}s/"
        page = f"{self.url}/{prefix}{name}"
        said = {"success": True, "commitOid": made.sha, "commitUrl": f"{page}/commit/{made.sha}"}
        return as_json(said | ({"pullRequestUrl": f"{page}/discussions/{number}"} if proposed else {}))

    def _leaderboard(self, request: Request, name: str) -> Answer:
        """Values of all models for a dataset's tasks; those of models with a ``base_model`` only where asked for."""
        self._find(request, "dataset", name)
        rows = []
        for (kind, model), repo in self.repos.items():
            tree = repo.files()
            if kind != "model" or repo.private:
                continue
            card = (
                re.match(r"---\n(.*?)\n---", tree["README.md"].content.decode(), re.DOTALL)
                if "README.md" in tree
                else None
            )
            derived = "base_model" in (yaml.safe_load(card[1]) or {}) if card else False
            if derived and request.query.get("base_model", "true").lower() != "false":
                continue
            for path, blob in tree.items():
                if not fnmatch.fnmatch(path, ".eval_results/*.yaml"):
                    continue
                for entry in yaml.safe_load(blob.content):
                    if entry["dataset"]["id"] == name:
                        rows.append((entry["value"], model, path))
        rows.sort(key=lambda row: -row[0])
        entries = [
            {
                "rank": rank,
                "modelId": model,
                "value": value,
                "filename": path,
                "verified": False,
                "author": {"type": "user", "name": model.split("/")[0], "fullname": "x", "avatarUrl": "x"},
            }
            for rank, (value, model, path) in enumerate(rows, start=1)
        ]
        return as_json(entries)

    def _resolve(self, request: Request, kind: str | None, name: str, revision: str, path: str) -> Answer:
        commit = self._at(self._find(request, kind, name), revision)
        blob = commit.tree.get(path)
        if blob is None:
            refusal = Refusal(404, "Entry not found", "EntryNotFound").answer
            return replace(refusal, headers={**refusal.headers, "X-Repo-Commit": commit.sha})
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Repo-Commit": commit.sha,
            "ETag": f'"{blob.etag}"',
            "Accept-Ranges": "bytes",
        }
        if blob.large:
            headers |= {"X-Linked-Size": str(len(blob.content)), "X-Linked-Etag": f'"{blob.etag}"'}
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
        if not wanted or not any(wanted.groups()):
            return Answer(200, blob.content, headers)
        size = len(blob.content)
        if wanted[1]:
            start, end = int(wanted[1]), min(int(wanted[2] or size - 1), size - 1)
        else:
            start, end = max(0, size - int(wanted[2])), size - 1
        if start >= size:
            return Answer(416, b"", {**headers, "Content-Range": f"bytes */{size}"})
        return Answer(206, blob.content[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{size}"})


def _entry(path: str, blob: Blob) -> dict:
    entry: dict = {"type": "file", "path": path, "size": len(blob.content), "oid": blob.blob_id}
    if blob.large:
        entry["lfs"] = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": len(blob.pointer)}
    return entry


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], double: HubDouble) -> None:
        self.double = double
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request, client_address) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def close_connections(self) -> None:
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address) -> None:
        """Keep quiet about clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        split = urlsplit(self.path)
        if self.command == "PUT" and self.server.double.cuts:
            self.server.double.cuts -= 1
            self.rfile.read(int(self.headers.get("Content-Length", 2)) // 2)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        request = Request(
            self.command,
            split.path,
            {key: values[-1] for key, values in parse_qs(split.query).items()},
            {key.lower(): value for key, value in self.headers.items()},
            self._body(),
        )
        answer = self.server.double.handle(request)
        if answer.drop:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value.replace("\n", " "))
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet; the requests are in `HubDouble.requests`."""


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    """A double of the Hub, empty and without tokens, gone after the test."""
    double = HubDouble()
    double.start()
    yield double
    double.stop()


def _run() -> None:
    import argparse

    parser = argparse.ArgumentParser(description="Run a double of the Hugging Face Hub, for playing and testing.")
    parser.add_argument("--token", nargs=2, action="append", metavar=("TOKEN", "NAMESPACE"), default=[])
    double = HubDouble()
    for token, namespace in parser.parse_args().token:
        double.add_token(token, [namespace])
    double.start()
    print(f"export HF_ENDPOINT={double.url} HF_HUB_DISABLE_XET=1", flush=True)  # noqa: T201
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    _run()
