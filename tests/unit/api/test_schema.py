"""Do small schemas become larger ones?"""

import doctest

from api import schema
from api.schema import or_null, without_null


def test_the_examples_hold() -> None:
    assert doctest.testmod(schema).failed == 0


def test_a_value_of_a_fixed_set_may_be_null_too() -> None:
    assert or_null({"enum": ["a"]}) == {"enum": ["a", None]}


def test_what_has_no_type_of_its_own_becomes_a_choice() -> None:
    assert or_null({"$ref": "#/x"}) == {"anyOf": [{"$ref": "#/x"}, {"type": "null"}]}
    assert or_null({}) == {}


def test_null_can_be_taken_away_again() -> None:
    for given in ({"enum": ["a"]}, {"type": "integer"}, {"$ref": "#/x"}, {"anyOf": [{"type": "string"}]}):
        assert without_null(or_null(given)) == given
        assert or_null(or_null(given)) == or_null(given)
