"""Every public function with hostile arguments: a result, or an error that names the argument.

Only the MemoryError of an array that is too large names its shape instead.
A hostile argument has a wrong type, shape, dtype or memory layout, or numbers that are NaN,
infinite, huge, negative or subnormal.  The environment variable FASTMLP_EXAMPLES is the number of
examples for each function.
"""

from __future__ import annotations

import faulthandler
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hypothesis")
from hostile import CASES, hostile  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from fastmlp.support import threads  # noqa: E402

# NumPy warns of numbers that are NaN
pytestmark = pytest.mark.filterwarnings("ignore")

ERRORS = (TypeError, ValueError, OverflowError)
SECONDS = 300  # after which a call counts as one that does not return

examples = settings(
    max_examples=int(os.environ.get("FASTMLP_EXAMPLES", "20")),
    derandomize="FASTMLP_EXAMPLES" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(threads, "_chosen", threads._chosen)


@pytest.mark.parametrize("name", CASES)
@examples
@given(data=st.data())
def test_a_hostile_argument_is_an_error_that_names_it_or_gives_a_result(
    name: str, data: Any
) -> None:
    case = CASES[name]
    argument = data.draw(st.sampled_from(list(case.arguments)))
    value = data.draw(hostile(case.arguments[argument]))
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        case.function(**{**case.arguments, argument: value})
    except MemoryError:
        return
    except ERRORS as error:
        names = (*case.arguments, *case.also)
        assert any(one in str(error) for one in names), f"no argument in: {error!r}"
    finally:
        faulthandler.cancel_dump_traceback_later()
