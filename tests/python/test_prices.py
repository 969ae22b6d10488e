from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from vcache.errors import ConfigError
from vcache.prices import Price, PriceTable


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where there is no .env
    monkeypatch.delenv("VCACHE_PRICES", raising=False)


def test_a_price_is_the_sum_of_its_parts() -> None:
    price = Price(per_call=1, per_embedding=0.5, per_token=0.01, per_second=2)
    assert price.of(calls=3, embeddings=4, tokens=100, seconds=1.5) == 3 + 2 + 1 + 3
    assert Price(per_call=0).of(calls=9) == 0, "free is not unknown"


def test_a_price_of_what_was_not_counted_is_not_known() -> None:
    assert Price(per_token=0.01).of(embeddings=4) is None
    assert Price(per_second=1, per_call=1).of(calls=1) is None
    assert Price(per_token=0.0).of() is None


def test_forms_of_a_price() -> None:
    table = PriceTable(
        {
            "number": 0.5,
            "price": Price(per_call=2),
            "parts": {"per_call": 1, "per_second": 0.25},
            "million": {"per_million_tokens": 20},
            "unknown": None,
        }
    )
    assert dict(table) == {
        "number": Price(per_embedding=0.5),
        "price": Price(per_call=2),
        "parts": Price(per_call=1, per_second=0.25),
        "million": Price(per_token=0.00002),
    }
    assert table.get("unknown") is None
    assert table.get("Number") is None, "names are exact"
    assert len(PriceTable()) == 0


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({"m": -1}, "prices['m']=-1: allowed is a finite number of 0 or more"),
        ({"m": math.nan}, "prices['m']=nan: allowed is a finite number"),
        ({"m": 10**400}, "allowed is a finite number"),
        ({"m": True}, "prices['m']=True of type bool: allowed is a finite number"),
        ({"m": "0.1"}, "prices['m']='0.1' of type str: allowed is a finite number"),
        ({"m": {}}, "prices['m']: price of nothing: allowed is at least one of per_call"),
        ({"m": {"per_token": None}}, "prices['m']: price of nothing"),
        ({"m": {"each": 1}}, "prices['m']: 'each' is no part of a price: allowed are per_call"),
        ({"m": {"per_token": 1, "per_million_tokens": 1}}, "allowed is one of per_token and"),
        ({"m": {"per_million_tokens": -1}}, "prices['m']: per_million_tokens=-1: allowed"),
        ({1: 1}, "prices: 1 is no name of a model: allowed is text"),
        ([("m", 1)], "of type list: allowed is a mapping"),
    ],
)
def test_bad_prices(prices: Any, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        PriceTable(prices)
    assert said in str(raised.value)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"m": {"per_million_tokens": 0.02}, "n": 1, "o": None}))
    assert dict(PriceTable.load(path)) == {"m": Price(per_token=2e-8), "n": Price(per_embedding=1)}
    with pytest.raises(FileNotFoundError):
        PriceTable.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"m": 1', "prices.json: Expecting"),
        ('{"m": 1, "m": 2}', "prices.json: 'm' is there twice"),
        ('{"m": NaN}', "prices.json: NaN is no price"),
        ('{"m": Infinity}', "prices.json: Infinity is no price"),
        ("[1]", "prices.json holds a JSON list: allowed is an object"),
        ('{"m": "x"}', "prices.json: prices['m']='x' of type str"),
        ("\udcff", "prices.json: "),
        ("[" * 100_000, "prices.json: "),
    ],
)
def test_bad_files(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prices.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as raised:
        PriceTable.load(path)
    assert said in str(raised.value)


def test_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert len(PriceTable.from_env()) == 0
    monkeypatch.setenv("VCACHE_PRICES", ' {"m": 0.5}')
    assert PriceTable.from_env()["m"] == Price(per_embedding=0.5)
    (tmp_path / "p.json").write_text('{"m": 0.25}')
    monkeypatch.setenv("VCACHE_PRICES", str(tmp_path / "p.json"))
    assert PriceTable.from_env()["m"] == Price(per_embedding=0.25)
    monkeypatch.delenv("VCACHE_PRICES")
    (tmp_path / ".env").write_text('VCACHE_PRICES={"m": 2}\n')
    assert PriceTable.from_env()["m"] == Price(per_embedding=2)


def test_a_bad_environment_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("nowhere.json", "{", '{"m": -1}'):
        monkeypatch.setenv("VCACHE_PRICES", text)
        with pytest.raises(ConfigError, match=r"VCACHE_PRICES.*allowed"):
            PriceTable.from_env()
