"""Does any request end with a 500, or with an answer that is not what the API's description says?

A run of modest size; ``scripts/fuzz_api.py`` makes longer ones.
"""

import random

import pytest
from flask.testing import FlaskClient

from tests.unit.api.fuzzing import fuzz

EXAMPLES = 8
"""Requests for each operation."""


@pytest.mark.timeout(600)
def test_no_request_breaks_the_server(client: FlaskClient) -> None:
    tally = fuzz(client.application, examples=EXAMPLES, rng=random.Random(1))
    assert {201, 204, 400, 404} <= tally.keys(), "the requests do not get past the door"
    assert tally[500] == 0
