"""A retriever of LangChain whose embeddings are cached.

    python examples/langchain_retriever.py

Needs the packages of the extras `langchain` and `demo`. You will see an index built twice, the
second time without the model, and the same question answered again without it.
"""

from __future__ import annotations

import sys
import time

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings as LangChainEmbeddings
from langchain_core.vectorstores import InMemoryVectorStore
from passages import PASSAGES, QUESTIONS

import vcache
from vcache.demo.model import NAME, MiniLM
from vcache.integrations.langchain import Embeddings


class Model(LangChainEmbeddings):
    """all-MiniLM-L6-v2 as LangChain wants a model; counts the texts it was given."""

    model_name = NAME

    def __init__(self) -> None:
        self.computed = 0
        self._model = MiniLM()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.computed += len(texts)
        rows: list[list[float]] = self._model.embed(texts).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def main() -> None:
    model, cache = Model(), vcache.Cache()
    embeddings = Embeddings(model, cache=cache, cost_per_embedding=0.000001)
    documents = [Document(text, metadata={"about": about}) for about, text in PASSAGES.items()]
    found = []
    for turn in ("first", "second"):
        before, start = model.computed, time.perf_counter()
        store = InMemoryVectorStore.from_documents(documents, embeddings)
        retriever = store.as_retriever(search_kwargs={"k": 1})
        found.append([retriever.invoke(question)[0] for question in QUESTIONS])
        taken = (time.perf_counter() - start) * 1000
        print(f"{turn} index and {len(QUESTIONS)} questions: {taken:8.1f} ms,", end=" ")
        print(f"{model.computed - before} texts computed")
    for question, document in zip(QUESTIONS, found[0], strict=True):
        print(f"  {question:<36} {document.page_content}")
    print(embeddings.report())
    about = [[document.metadata["about"] for document in turn] for turn in found]
    computed_once = model.computed == len(PASSAGES) + len(QUESTIONS)
    if about != [list(QUESTIONS.values())] * 2 or not computed_once:
        sys.exit("wrong: another passage was found, or a text was computed twice")


if __name__ == "__main__":
    main()
