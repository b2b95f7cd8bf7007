"""What the tests of sums and exports share."""

from __future__ import annotations

import pytest

from tests.accounting.cast import Cast, make_cast


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()
