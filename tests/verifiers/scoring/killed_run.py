"""A scoring run in a process of its own, for the tests that kill it: SOURCE OUT RUBRIC WORKERS."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import rubrics

    from referee.verifiers.scoring import score_file

    source, out, rubric, workers = sys.argv[1:]
    score_file(getattr(rubrics, rubric), source, out, workers=int(workers))
