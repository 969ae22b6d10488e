"""A retriever of LlamaIndex whose embeddings are cached.

    python examples/llamaindex_retriever.py

Needs the packages of the extras `llamaindex` and `demo`. You will see an index built twice, the
second time without the model, and the same question answered again without it.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding as LlamaIndexEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import TextNode
from passages import PASSAGES, QUESTIONS

import vcache
from vcache.demo.model import NAME, MiniLM
from vcache.integrations.llamaindex import BaseEmbedding


class Model(LlamaIndexEmbedding):
    """all-MiniLM-L6-v2 as LlamaIndex wants a model; counts the texts it was given."""

    _model: MiniLM = PrivateAttr(default_factory=MiniLM)
    _computed: int = PrivateAttr(default=0)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        self._computed += len(texts)
        rows: list[list[float]] = self._model.embed(texts).tolist()
        return rows

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def main() -> None:
    model, cache = Model(model_name=NAME), vcache.Cache()
    embed_model = BaseEmbedding(model, cache=cache, cost_per_embedding=0.000001)
    found: list[list[Any]] = []
    for turn in ("first", "second"):
        before, start = model._computed, time.perf_counter()
        nodes = [TextNode(id_=about, text=text) for about, text in PASSAGES.items()]
        index = VectorStoreIndex(nodes, embed_model=embed_model)
        retriever = index.as_retriever(similarity_top_k=1)
        found.append([retriever.retrieve(question)[0].node for question in QUESTIONS])
        taken = (time.perf_counter() - start) * 1000
        print(f"{turn} index and {len(QUESTIONS)} questions: {taken:8.1f} ms,", end=" ")
        print(f"{model._computed - before} texts computed")
    for question, node in zip(QUESTIONS, found[0], strict=True):
        print(f"  {question:<36} {node.text}")
    print(embed_model.report())
    about = [[node.node_id for node in turn] for turn in found]
    computed_once = model._computed == len(PASSAGES) + len(QUESTIONS)
    if about != [list(QUESTIONS.values())] * 2 or not computed_once:
        sys.exit("wrong: another passage was found, or a text was computed twice")


if __name__ == "__main__":
    main()
