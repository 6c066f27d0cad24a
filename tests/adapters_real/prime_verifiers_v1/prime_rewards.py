"""What verifiers v1 imports by the name in a task's configuration."""

from conformance import RUBRIC

from referee.trainers import to_verifiers

reward = to_verifiers(RUBRIC)
