"""The classic API where 0.3.1 keeps it, `verifiers.legacy`: the same tests as for 0.1.14."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "prime_verifiers_classic"))

from test_prime_environment import *  # noqa: F403
from test_prime_verifiers_classic import *  # noqa: F403
from test_prime_verifiers_classic import vf


def test_the_api_that_is_tested_is_the_one_that_moved():
    assert vf.__name__ == "verifiers.legacy"
