"""A pytest plugin that prints, for each failed phase of a test, which exception it was."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.mutants.table import MARK


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        asserted = call.when == "call" and call.excinfo.errisinstance((AssertionError, pytest.fail.Exception))
        kind = "asserted" if asserted else call.excinfo.typename
        print(f"\n{MARK}{'timeout' if str(call.excinfo.value).startswith('Timeout') else kind}")
    return report
