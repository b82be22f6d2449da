"""Do rules mean what they say?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.policy.expression import And, Expression, ExpressionError, Not, Or, Word, holds, parse, simplified

WORDS = ("a", "b", "c")


def expressions() -> st.SearchStrategy[Expression]:
    return st.recursive(
        st.sampled_from([Word(word) for word in WORDS]),
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
        ),
        max_leaves=8,
    )


def test_and_binds_tighter_than_or_and_not_tightest() -> None:
    assert parse("a or not b and c", WORDS) == Or((Word("a"), And((Not(Word("b")), Word("c")))))


def test_brackets_come_first() -> None:
    assert parse("(a or b) and c", WORDS) == And((Or((Word("a"), Word("b"))), Word("c")))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a word is missing"),
        ("a and", "a word is missing"),
        ("a b", "'b' is not expected here"),
        ("(a or b", "a bracket is not closed"),
        ("a)", "')' is not expected here"),
        ("or a", "'or' is not expected here"),
        ("a or boss", "'boss' is no word of the policy; the words are a, b, c"),
        ("not " * 30 + "a", "more than 20 levels"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_place(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=why.replace(")", r"\)")):
        parse(text, WORDS)


@given(expressions(), st.sets(st.sampled_from(WORDS)), st.sets(st.sampled_from(WORDS)))
def test_knowing_some_words_early_changes_no_answer(expression: Expression, known: set[str], true: set[str]) -> None:
    remaining = simplified(expression, {word: word in true for word in known})
    assert holds(remaining, true.__contains__) == holds(expression, true.__contains__)


@given(expressions(), st.sets(st.sampled_from(WORDS)))
def test_knowing_every_word_leaves_an_answer(expression: Expression, true: set[str]) -> None:
    assert simplified(expression, {word: word in true for word in WORDS}) is holds(expression, true.__contains__)
