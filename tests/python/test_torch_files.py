"""Model files that vcache._torch refuses to load.

Annotations are not postponed here: TorchScript reads them.
"""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torch_models import WIDTH, LogOfSum, Mlp, save, torch

from vcache._model import load_scorer
from vcache.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return save(Mlp(), tmp_path / "mlp.pt")


def rewrite(source: Path, target: Path, **changes: tuple[str, str]) -> Path:
    """A copy of the archive with text replaced in each file of its code whose name ends so."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            for ending, (before, after) in changes.items():
                if name.endswith(f"{ending}.py"):
                    assert before.encode() in data
                    data = data.replace(before.encode(), after.encode())
            new.writestr(name, data)
    return target


def test_r41_digest_is_compared(model: Path) -> None:
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert load_scorer(model, sha256=digest).inputs == WIDTH
    assert load_scorer(str(model), sha256=digest.upper()).inputs == WIDTH
    with pytest.raises(ModelError, match=f"has sha256 {digest}, expected {'0' * 64}"):
        load_scorer(model, sha256="0" * 64)


def test_r41_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: No such file or directory"):
        load_scorer(tmp_path / "none.pt")
    text = tmp_path / "text.pt"
    text.write_text("not a model")
    with pytest.raises(ModelError, match="not a TorchScript archive"):
        load_scorer(text)
    pickled = tmp_path / "weights.pt"
    torch.save({"a": torch.zeros(2)}, pickled)
    with pytest.raises(ModelError, match=r"does not belong in a model|not a TorchScript model"):
        load_scorer(pickled)


VARIANTS = 300


def alter(data: bytes, random: np.random.Generator) -> bytes:
    """One turned bit, an end too early, or zeros in the place of some bytes."""
    changed, start = bytearray(data), int(random.integers(len(data)))
    match int(random.integers(6)):
        case 0:
            return data[:start]
        case 1:
            end = min(start + int(random.integers(1, 200)), len(data))
            changed[start:end] = bytes(end - start)
        case _:
            changed[start] ^= 1 << random.integers(8)
    return bytes(changed)


def test_r41_altered_files_load_or_are_refused(model: Path, tmp_path: Path) -> None:
    """Each without its digest, and with it; a model that was loaded before serves on."""
    data, digest = model.read_bytes(), hashlib.sha256(model.read_bytes()).hexdigest()
    serving, rows = load_scorer(model, batch_size=1), np.ones((1, WIDTH), np.float32)
    scores = serving.score(rows)
    random, altered, refused = np.random.default_rng(1), tmp_path / "altered.pt", 0
    for _ in range(VARIANTS):
        while (changed := alter(data, random)) == data:
            pass
        altered.write_bytes(changed)
        with pytest.raises(ModelError):
            load_scorer(altered, sha256=digest)
        try:
            load_scorer(altered, batch_size=1)
        except ModelError:
            refused += 1
        assert np.array_equal(serving.score(rows), scores)
    assert refused > VARIANTS / 3


def test_r41_every_cut_is_refused(model: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    cut = tmp_path / "cut.pt"
    for size in (0, 1, len(data) - 1, *range(0, len(data), len(data) // VARIANTS)):
        cut.write_bytes(data[:size])
        with pytest.raises(ModelError):
            load_scorer(cut)


def test_r41_zeros_without_end_are_refused_unread(tmp_path: Path) -> None:
    """A file of 10 GB that takes no room on the disk."""
    zeros = tmp_path / "zeros.pt"
    with zeros.open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(ModelError, match="has 10737418240 bytes, allowed are"):
        load_scorer(zeros)


class Writer(torch.nn.Module):
    """Writes a file while it is loaded."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.written = torch.zeros(1)

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.path, self.training = state
        self.written = torch.from_file(self.path, True, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(dim=1)


def test_r41_model_that_writes_when_loaded_never_does(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = save(Writer(str(canary)), tmp_path / "writer.pt")
    torch.jit.load(str(path))
    assert canary.exists(), "torch itself no longer runs it: this test proves nothing"
    canary.unlink()
    with pytest.raises(ModelError, match=r"'__[gs]etstate__' is not allowed in a model"):
        load_scorer(path)
    assert not canary.exists()


def test_r41_default_that_writes_when_loaded_never_does(model: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    evil = f'inplace: Tensor=torch.from_file("{canary}", True, 16)'
    path = rewrite(
        model,
        tmp_path / "default.pt",
        functional=(
            "def relu(input: Tensor,\n    inplace: bool=False",
            f"def relu(input: Tensor,\n    {evil}",
        ),
    )
    with pytest.raises(RuntimeError):  # the default has no value for a bool; but it has run
        torch.jit.load(str(path))
    assert canary.exists(), "torch itself no longer runs it: this test proves nothing"
    canary.unlink()
    with pytest.raises(ModelError, match="'aten::from_file' is not an allowed operator"):
        load_scorer(path)
    assert not canary.exists()


class Reader(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inputs = WIDTH

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(dim=1) + torch.from_file("/etc/passwd", False, 4, dtype=torch.uint8).sum()


class Random(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.rand(x.size(0))


class Endless(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.sum() == x.sum()):
            x = x + 1.0
        return x.sum(dim=1)


class Long(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inputs = WIDTH

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(x.size(0) * 1_000_000_000_000):
            x = x + 1.0
        return x.sum(dim=1)


class InPlace(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Linear(WIDTH, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


class Printing(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print("scoring")  # noqa: T201
        return x.sum(dim=1)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Reader(), "'aten::from_file' is not an allowed operator"),
        (Random(), "'aten::rand' is not an allowed operator"),
        (Endless(), "'while' is not allowed in a model"),
        (Long(), "model uses 'prim::Loop', which may not end"),
        (InPlace(), "model uses 'aten::relu_', which writes into a tensor or list"),
        (Printing(), "'print' is not allowed in a model"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else "",
)
def test_r41_models_that_do_more_than_compute(
    tmp_path: Path, module: torch.nn.Module, message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        load_scorer(save(module, tmp_path / "m.pt"))
    assert message in str(caught.value)


def test_r41_operator_hidden_behind_a_method_is_found_in_the_graph(
    model: Path, tmp_path: Path
) -> None:
    """The text defines a `bernoulli` of its own, so its check cannot tell; the graph can."""
    path = rewrite(
        model,
        tmp_path / "hidden.pt",
        activation=(
            "    return torch.gelu(input)",
            "    return (input).bernoulli()\n"
            "  def bernoulli(self: __torch__.torch.nn.modules.activation.GELU) -> int:\n"
            "    return 1",
        ),
    )
    with pytest.raises(ModelError, match="model uses 'aten::bernoulli', which is not an allowed"):
        load_scorer(path)


def test_r41_foreign_records_are_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "more.pt"
    path.write_bytes(model.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("mlp/CODE/__torch__.py", "class Net(Module):\n  pass\n")
    with pytest.raises(ModelError, match=r"record 'CODE/__torch__.py' does not belong in a model"):
        load_scorer(path)


class NoWidth(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(dim=1)


class Scalar(LogOfSum):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum()


class Wide(LogOfSum):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(dim=1).to(torch.float64)


class Pair(LogOfSum):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


class Fixed(LogOfSum):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(1)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (NoWidth(), "model does not say how many inputs it has: no int 'inputs'"),
        (Scalar(), "model gives shape () for one row"),
        (Wide(), "model gives Double, expected Float on the CPU"),
        (Pair(), "it gives a Tuple, expected a tensor"),
        (Fixed(), "model gives shape (1,) for 1024 rows of 1"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else "",
)
def test_models_of_another_shape(tmp_path: Path, module: torch.nn.Module, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_scorer(save(module, tmp_path / "m.pt"))
    assert message in str(caught.value)
