"""The report: every number is the file's, and nothing that a model wrote can act in the page."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from referee.cli import main
from referee.report import page, plots
from referee.report.scored import scored_report
from referee.verifiers import Completion, Problem, Reward, Verdict
from referee.verifiers.jsonl import dumps
from referee.verifiers.scoring import Scored, StoreError, summarise

HOSTILE = "</script><img src=x onerror=\"document.title='forged'\"><!--<script>]]>&lt;\u2028"


def write_scored(path: Path, rewards: list[Reward], texts: list[str] | None = None) -> Path:
    lines = [
        dumps(
            Scored(
                line=i // 4 + 1,
                column=f"completion.{i % 4}",
                problem=Problem(prompt=f"question {i // 4}", answer=str(i // 4), id=f"p{i // 4}"),
                completion=Completion(text=texts[i] if texts else f"text {i}"),
                reward=reward,
            )
        )
        for i, reward in enumerate(rewards)
    ]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def reward(score: float | None) -> Reward:
    verdict = (
        Verdict(score=score) if score is not None else Verdict(score=None, detail={"error": "judge away"})
    )
    return Reward(total=score, parts={"right": verdict, "form": Verdict(score=0.5)})


REWARDS = [reward(s) for s in (1.0, 0.0, 1.0, None, 0.0, 0.0, 0.0, 0.0)]


def data_of(html: str) -> dict[str, list[dict[str, object]]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])  # type: ignore[no-any-return]


def test_the_totals_and_intervals_are_those_of_the_summary(tmp_path: Path) -> None:
    html = scored_report(write_scored(tmp_path / "s.jsonl", REWARDS))
    total = summarise(REWARDS).total
    assert f"interval {total.low:.3f} to {total.high:.3f}" in html
    assert "judge away" in html
    assert len(data_of(html)["rows"]) == 8
    assert len(data_of(html)["problems"]) == 2


def test_groups_whose_siblings_all_agree_are_counted(tmp_path: Path) -> None:
    html = scored_report(write_scored(tmp_path / "s.jsonl", REWARDS))
    assert re.search(r"siblings that agree</dt>\s*<dd>50.0 %", html)


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    html = scored_report(write_scored(tmp_path / "s.jsonl", REWARDS))
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", html)
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_what_a_model_wrote_is_escaped_everywhere(tmp_path: Path) -> None:
    hostile = Reward(
        total=0.0,
        parts={
            HOSTILE: Verdict(score=None, answer=HOSTILE, detail={"error": HOSTILE}),
            "b": Verdict(score=0),
        },
    )
    source = tmp_path / "s.jsonl"
    scored = Scored(
        line=1,
        column=HOSTILE,
        problem=Problem(prompt=HOSTILE, answer=HOSTILE, id=HOSTILE),
        completion=Completion(text=HOSTILE),
        reward=hostile,
    )
    source.write_text(dumps(scored) + "\n")
    timing = {"line": 1, "column": HOSTILE, "seconds": 0.1}
    source.with_name("s.jsonl.timings.jsonl").write_text(json.dumps(timing) + "\n")
    html = scored_report(source, title=HOSTILE)
    assert "<img" not in html
    assert html.count("</script>") == 2
    assert data_of(html)["rows"][0]["text"] == HOSTILE


def test_the_same_file_gives_the_same_page(tmp_path: Path) -> None:
    source = write_scored(tmp_path / "s.jsonl", REWARDS)
    assert scored_report(source) == scored_report(source)


def test_a_large_file_is_sampled_and_the_page_says_so(tmp_path: Path) -> None:
    source = write_scored(tmp_path / "s.jsonl", REWARDS * 50)
    html = scored_report(source, sample=30)
    assert len(data_of(html)["rows"]) == 30
    assert "A random sample of 30 of the 400 completions" in html


def test_a_very_long_completion_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    text = "begin" + "x" * 100_000 + "end"
    html = scored_report(write_scored(tmp_path / "s.jsonl", REWARDS[:1], [text]))
    shown = str(data_of(html)["rows"][0]["text"])
    assert shown.startswith("begin")
    assert shown.endswith("end")
    assert len(shown) < 25_000


def test_lone_surrogates_do_not_break_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_scored(tmp_path / "s.jsonl", REWARDS[:1], ["a\ud800b"])
    assert main(["report", str(source), "-o", str(tmp_path / "r.html")]) == 0


def test_what_is_no_scored_file_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "s.jsonl"
    source.write_text("{}\n")
    with pytest.raises(StoreError, match="line 1"):
        scored_report(source)
    assert main(["report", str(source)]) == 2
    source.write_text("")
    assert main(["report", str(source)]) == 2
    assert "holds no scored completions" in capsys.readouterr().err


def test_only_own_times_are_shown_as_slow_and_shared_ones_are_said_in_words(tmp_path: Path) -> None:
    source = write_scored(tmp_path / "s.jsonl", REWARDS)
    timings = source.with_name("s.jsonl.timings.jsonl")
    own = {"line": 1, "column": "completion.0", "seconds": 0.5}
    shared = [{"line": 1, "column": f"completion.{i}", "seconds": 2.0, "shared": True} for i in (1, 2)]
    timings.write_text("".join(json.dumps(entry) + "\n" for entry in (own, *shared)))
    html = " ".join(scored_report(source).split())
    assert "2 completions were judged in batches, which took 4.00 s in all" in html
    assert "<span>median <b>500.0 ms</b></span>" in html
    assert [row["seconds"] for row in data_of(html)["rows"][:3]] == [0.5, None, None]
    timings.write_text("".join(json.dumps(entry) + "\n" for entry in shared))
    html = scored_report(source)
    assert "no one is shown as slow" in html
    assert "slowest" not in html.partition("<script")[0]


def test_a_single_line_is_named_too() -> None:
    assert ">reward of a step<" in plots.curves(
        {"reward of a step": plots.Curve(x=[0, 1], y=[0.1, 0.5])}, title="Reward"
    )


def test_plots_take_their_colours_from_the_page() -> None:
    drawn = [
        plots.histogram([0.0, 1.0, 1.0], title="a <b>"),
        plots.histogram([i / 100 for i in range(100)], title="many"),
        plots.bars({"x": 3, "y": 4}, title="bars"),
        plots.curves({"r": plots.Curve(x=[0, 1], y=[0.1, 0.5], low=[0, 0.4], high=[0.2, 0.6])}, title="c"),
    ]
    for svg in drawn:
        assert "var(--" in svg
        assert "aria-label" in svg
        assert not re.search(r"#(0[0-9a-f]){3}\b", svg)
    assert "a &lt;b&gt;" in drawn[0]


def test_times_read_well() -> None:
    assert [page.duration(s) for s in (2e-5, 0.0123, 2.5)] == ["20 µs", "12.3 ms", "2.50 s"]


@pytest.mark.slow
def test_fifty_thousand_completions_take_seconds(tmp_path: Path) -> None:
    source = write_scored(tmp_path / "s.jsonl", REWARDS * 6250)
    start = time.monotonic()
    scored_report(source)
    assert time.monotonic() - start < 60
