"""Without the packages of the extra `demo`, the tests that need them are left out."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("rich") and find_spec("matplotlib") else ["test_report.py"]
