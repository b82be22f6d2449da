"""Is a switch complete after its connection or its database's was cut anywhere? And closed all the while?"""

import pytest

from tests.lab_faults.cuts import Cutting
from tests.lab_faults.stage import Stage

SEEDS = (1, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_connection_cut_at_any_octet_leaves_nothing_to_repair(stage: Stage, seed: int) -> None:
    outcome = Cutting(stage, seed).run()
    assert outcome.is_good, str(outcome)
    assert outcome.cuts > 0, f"nothing was cut, so nothing was tested: {outcome}"
