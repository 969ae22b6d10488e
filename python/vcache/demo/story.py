"""The demo from beginning to end."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import msgspec
from rich.console import Console

from . import corpus, questions
from .errors import NoTextError, SecondProcessError
from .figure import write_figure
from .model import MiniLM
from .options import Options
from .pipeline import Rag, Run, Vectors, embed_corpus, open_cache, run_cached, run_stream
from .progress import Stages
from .report import Summary, show
from .search import FlatIndex
from .second import Result, State, digest
from .server import find_binary, redis_server

ASKED_PER_TOPIC = 20  # on average; Zipf's law shares them out
MIN_TOPICS = 10
SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Scene:
    """What every run of the stream shares."""

    passages: list[corpus.Passage]
    stream: list[str]
    embedder: MiniLM
    vectors: Vectors
    cost: float  # dollars per question embedded

    @property
    def texts(self) -> list[str]:
        return [passage.text for passage in self.passages]

    def rag(self) -> Rag:
        return Rag(self.embedder, FlatIndex(self.vectors))


def tell(options: Options) -> bool:
    """Runs the demo; True if every answer through vcache equals the uncached one."""
    console = Console()
    stages = Stages(console)
    passages = _read_corpus(options, stages)
    topics = questions.topics(passages, max(MIN_TOPICS, options.questions // ASKED_PER_TOPIC))
    if len(topics) < MIN_TOPICS:
        raise NoTextError(
            f"the corpus gives {len(topics)} sentences to ask about; it takes {MIN_TOPICS}"
        )
    stream = questions.stream(topics, options.questions, options.seed)
    with ExitStack() as stack:
        binary = find_binary() if options.redis else None
        if options.redis and binary is None:
            console.print(
                "  [yellow]No redis-server found: memory only.[/] (apt install redis-server)"
            )
        url = stack.enter_context(redis_server(binary)) if binary else None
        summary = _measure(options, stages, passages, stream, url)
    show(summary, console)
    write_figure(summary, options.plot)
    console.print(f"Picture: {options.plot}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(summary.as_dict())))
        console.print(f"Figures: {options.json}")
    return summary.equal


def _read_corpus(options: Options, stages: Stages) -> list[corpus.Passage]:
    source = "docstrings" if options.corpus is None else str(options.corpus)
    with stages.stage(f"Read {source}", options.passages) as progress:
        if options.corpus is None:
            return corpus.from_docstrings(options.passages, options.seed, progress)
        return corpus.from_folder(options.corpus, options.passages, progress)


def _measure(
    options: Options,
    stages: Stages,
    passages: list[corpus.Passage],
    stream: list[str],
    url: str | None,
) -> Summary:
    embedder = MiniLM()
    with stages.stage("Load the embedding model", 1):
        embedder.embed(["warm up"])
    start = time.perf_counter()
    texts = [passage.text for passage in passages]
    with (
        stages.stage(f"Embed {len(texts):,} passages", len(texts)) as progress,
        open_cache(url) as cache,
    ):
        vectors = embed_corpus(embedder, cache, texts, progress)
    corpus_seconds = time.perf_counter() - start
    cost = embedder.tokens(stream) / len(stream) * options.price / 1e6
    scene = Scene(passages, stream, embedder, vectors, cost)

    with stages.stage(f"Ask {len(stream):,} questions without a cache", len(stream)) as progress:
        cold = run_stream("no cache", scene.rag(), stream, "computed", progress)
    summary = Summary(len(texts), len(set(stream)), options.price, corpus_seconds, cold, [])
    summary.question, summary.answer = _asked_most(scene, cold)
    summary.add(_run_with("memory", None, scene, stages))
    if url:
        summary.add(_run_with("memory + Redis", url, scene, stages))
        _run_again(summary, scene, stages, url)
    return summary


def _asked_most(scene: Scene, cold: Run) -> tuple[str, str]:
    """The question asked most, and the best passage for it."""
    question, _ = Counter(scene.stream).most_common(1)[0]
    best = scene.passages[cold.answers[scene.stream.index(question)][0][0]]
    return question, f"{best.where}: {shorten(best.text, SHOWN_CHARACTERS)}"


def _run_with(name: str, url: str | None, scene: Scene, stages: Stages) -> Run:
    title = f"Ask them through vcache: {name}"
    with stages.stage(title, len(scene.stream)) as progress, open_cache(url) as cache:
        return run_cached(name, scene.rag(), cache, scene.stream, scene.cost, progress)


def _run_again(summary: Summary, scene: Scene, stages: Stages, url: str) -> None:
    title = "Ask them in a second process: nothing in memory, Redis warm"
    with stages.stage(title, len(scene.stream)):
        result = _second_process(scene, url)
    summary.add(result.run())
    if result.corpus_sha256 != digest(scene.vectors):
        summary.differing["corpus in the second process"] = [0]
    summary.corpus_seconds_again = result.corpus_seconds
    summary.model_loaded_again = result.model_loaded


def _second_process(scene: Scene, url: str) -> Result:
    state = State(url, scene.texts, scene.stream, scene.cost)
    with tempfile.TemporaryDirectory(prefix="vcache-demo-") as folder:
        told, found = Path(folder) / "state.json", Path(folder) / "result.json"
        told.write_bytes(msgspec.json.encode(state))
        command = [sys.executable, "-m", "vcache.demo.second", str(told), str(found)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SecondProcessError(f"the second process failed: {ended.stderr.strip()[-2000:]}")
        return msgspec.json.decode(found.read_bytes(), type=Result)
