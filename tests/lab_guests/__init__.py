"""What may a hostile guest do? Packets of guests that lie, flood and are filtered, on real Open vSwitch."""

import pytest

pytest.register_assert_rewrite("tests.lab_guests.wire")  # so that a count that differs shows how
