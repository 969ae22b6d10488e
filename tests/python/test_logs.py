from __future__ import annotations

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vcache
from vcache import Cache, logs
from vcache._background import FailureLog
from vcache.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
LOGGER = logging.getLogger("vcache.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What a handler of configure() writes to, taken off again."""
    text = io.StringIO()
    yield text
    logger = logging.getLogger("vcache")
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is text:
            logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(stream: io.StringIO) -> None:
    logs.configure(stream=stream)
    logs.tell(LOGGER, logging.WARNING, "factory_failed", "{error}: {count}", error="E", count=3)
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line.pop("pid") > 0
    assert line == {
        "level": "warning",
        "logger": "vcache.test",
        "event": "factory_failed",
        "message": "E: 3",
        "error": "E",
        "count": 3,
    }


def test_an_event_is_one_line_of_key_and_value(stream: io.StringIO) -> None:
    logs.configure(format="keyvalue", stream=stream)
    logs.tell(LOGGER, logging.INFO, "redis_up", 'it\'s "up"\nagain', server="a:1", seconds=0.5)
    (line,) = stream.getvalue().splitlines()
    assert " level=info logger=vcache.test event=redis_up " in line
    assert r' message="it' in line
    assert r"\"up\"\nagain" in line
    assert " server=a:1 seconds=0.5 pid=" in line


def test_nothing_private_is_in_a_line(stream: io.StringIO) -> None:
    logs.configure(stream=stream)
    fields = {
        "vector": np.arange(3.0),
        "values": [1.0, 2.0],
        "blob": b"abc",
        "url": "rediss://bob:p/s@w@db:1/0",
        "redis_password": "hunter2",
        "nested": {"token": "hunter2", "deep": {"a": {"b": {"c": 1}}}},
        "long": "x" * 5000,
        "odd": float("nan"),
        "what": object(),
        "unknown": None,
        "level": "mine",
    }
    LOGGER.warning("at redis://u:hunter2@h/0", extra={"event": "odd", "fields": fields})
    (line,) = lines(stream)
    assert "hunter2" not in stream.getvalue()
    assert "p/s" not in stream.getvalue()
    assert line["message"] == "at redis://***@h/0"
    assert line["url"] == "rediss://***@db:1/0"
    assert (line["vector"], line["values"]) == ("<ndarray>", "<list of 2>")
    assert (line["blob"], line["what"], line["odd"]) == ("<bytes of 3>", "<object>", "nan")
    assert line["nested"] == {"token": "***", "deep": {"a": {"b": "<dict>"}}}
    assert len(line["long"]) == 300
    assert line["level"] == "warning"
    assert "unknown" not in line


@pytest.mark.parametrize("form", ["json", "keyvalue"])
def test_any_text_is_a_line_for_any_stream(form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path of bytes that are no text, and a stream of a host whose locale is C."""
    monkeypatch.setattr(logging, "raiseExceptions", True)
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    handler = logs.configure(format=form, stream=stream)
    monkeypatch.setattr(handler, "handleError", lambda record: pytest.fail("no line"))
    try:
        LOGGER.warning("caf\xe9 \udcff", extra={"event": "odd", "fields": {"path": "\udcff", 5: 1}})
    finally:
        logging.getLogger("vcache").removeHandler(handler)
        logging.getLogger("vcache").setLevel(logging.NOTSET)
    assert rb'"caf\u00e9 \udcff"' in raw.getvalue()


def test_of_an_exception_only_the_type_is_told(stream: io.StringIO) -> None:
    logs.configure(stream=stream)
    try:
        raise ValueError("the text of a customer")
    except ValueError:
        LOGGER.exception("it failed")
    (line,) = lines(stream)
    assert line["error"] == "ValueError"
    assert "customer" not in stream.getvalue()


def test_configured_again_it_replaces_its_own_handler_only(stream: io.StringIO) -> None:
    logger, other = logging.getLogger("vcache"), logging.NullHandler()
    logger.addHandler(other)
    try:
        logs.configure(stream=io.StringIO())
        handler = logs.configure(format="keyvalue", level="WARNING", stream=stream)
        LOGGER.info("no")
        LOGGER.warning("yes")
        assert len(stream.getvalue().splitlines()) == 1
        assert other in logger.handlers
        assert handler in logger.handlers
    finally:
        logger.removeHandler(other)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"format": "xml"}, 'format=\'xml\': allowed are "json" and "keyvalue"'),
        ({"format": ["json"]}, "format="),
        ({"level": "LOUD"}, "level='LOUD': allowed is a level of logging"),
        ({"level": 1.5}, "level=1.5"),
    ],
)
def test_bad_configuration_changes_nothing(arguments: dict[str, Any], says: str) -> None:
    before = list(logging.getLogger("vcache").handlers)
    with pytest.raises(ConfigError) as caught:
        logs.configure(**arguments)
    assert says in str(caught.value)
    assert logging.getLogger("vcache").handlers == before


def test_keys_are_hashes_under_the_secret_of_the_cache() -> None:
    with Cache() as plain, Cache(key_secret="s" * 16) as keyed:
        hashes = [logs.key_hash("user:7"), logs.key_hash("user:7", plain)]
        assert hashes[0] == hashes[1] == logs.key_hash(b"user:7")
        assert logs.key_hash("user:7", keyed) not in hashes
        assert all(len(each) == 16 and int(each, 16) >= 0 for each in hashes)
    assert logs.key_hash("\ud800")


def test_failures_of_factories_are_an_event(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vcache"):
        FailureLog().note(ValueError("secret text"))
    (record,) = caplog.records
    assert (record.event, record.fields) == (  # type: ignore[attr-defined]
        "factory_failed",
        {"error": "ValueError", "count": 1},
    )
    assert "secret text" not in record.getMessage()


def test_what_the_core_tells_is_an_event(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    cache = Cache(access_log=folder / "log")
    (folder / "log").unlink()
    folder.rmdir()
    with caplog.at_level(logging.INFO, "vcache.access"):
        cache.get("a")
        cache.close()
    (record,) = caplog.records
    assert record.event == "access_log_failed"  # type: ignore[attr-defined]
    fields = record.fields  # type: ignore[attr-defined]
    assert fields["path"] == str(folder / "log")
    assert fields["error"].startswith("No such file")


def test_a_record_of_the_core_that_is_unknown_passes() -> None:
    record = logging.makeLogRecord({"name": "vcache.redis", "msg": "something new"})
    assert all(each.filter(record) for each in logging.getLogger("vcache.redis").filters)
    assert (record.event, record.fields) == (None, {})  # type: ignore[attr-defined]


def told_in(path: Path) -> Iterator[tuple[str, set[str]]]:
    """Each event that a module tells, with its fields."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "tell":
            given = ast.walk(ast.Tuple(elts=call.args))
            words = [each.value for each in given if isinstance(each, ast.Constant)]
            events = [word for word in words if re.fullmatch("[a-z_]+", str(word))]
            assert len(events) == 1, (path, call.lineno)
            yield events[0], {each.arg for each in call.keywords if each.arg is not None}


def test_all_events_are_documented() -> None:
    package = ROOT / "python" / "vcache"
    modules = (path for path in package.rglob("*.py") if path.parent.name != "demo")
    told = [each for path in modules for each in told_in(path)]
    assert len(told) >= 10
    for event, fields in told:
        assert fields <= set(logs.EVENTS[event]), event
    assert "logs" not in vcache.__all__
