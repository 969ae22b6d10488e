from pathlib import Path

import pytest

from vcache.demo import options, run


def test_defaults() -> None:
    told = options.parse([])
    assert (told.questions, told.passages) == (options.QUESTIONS, options.PASSAGES)
    assert told.redis
    assert told.corpus is None


def test_quick_is_smaller_and_gives_way_to_numbers() -> None:
    told = options.parse(["--quick", "--questions", "9"])
    assert (told.questions, told.passages) == (9, options.QUICK_PASSAGES)


def test_no_redis_and_a_folder() -> None:
    told = options.parse(["--no-redis", "--corpus", "texts"])
    assert (told.redis, told.corpus) == (False, Path("texts"))


@pytest.mark.parametrize("number", ["0", "-3", "many"])
def test_a_bad_number_is_refused(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options.parse(["--questions", number])
    assert "--questions" in capsys.readouterr().err


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(run.NEEDED, "no_such_module_anywhere", "no-such-package")
    assert run.main([]) == run.NOT_INSTALLED
    said = capsys.readouterr().err
    assert "no-such-package" in said
    assert "pip install 'vcache[demo]'" in said
