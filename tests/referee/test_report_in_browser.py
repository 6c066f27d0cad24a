"""The report in a real browser: filters, pages, keys, and a hostile completion that does nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from referee.report.scored import scored_report
from referee.verifiers import Completion, Problem, Reward, Verdict
from referee.verifiers.jsonl import dumps
from referee.verifiers.scoring import Scored

pytestmark = pytest.mark.browser

HOSTILE = "</script><script>document.title='forged'</script><img src=x onerror=\"document.title='forged'\">"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium and chromedriver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run"
    for flag in [*flags.split(), "--disable-dev-shm-usage", f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    session = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield session
    session.quit()


@pytest.fixture(scope="module")
def opened(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A report of 5,002 completions: every tenth right, one hostile, one abstained."""
    folder = tmp_path_factory.mktemp("report")
    texts = [f"completion number {i}" for i in range(5000)] + [HOSTILE, "unjudged"]
    lines = []
    for i, text in enumerate(texts):
        score = None if text == "unjudged" else float(i % 10 == 0)
        verdict = Verdict(score=score, answer=text, detail={"note": text} if text == HOSTILE else {})
        reward = Reward(total=score, parts={"right": verdict})
        problem = Problem(prompt=f"{HOSTILE if text == HOSTILE else 'question'} {i}", answer=str(i))
        lines.append(
            dumps(
                Scored(
                    line=i + 1,
                    column="completion",
                    problem=problem,
                    completion=Completion(text=text),
                    reward=reward,
                )
            )
        )
    (folder / "s.jsonl").write_text("\n".join(lines) + "\n")
    page = folder / "r.html"
    page.write_text(scored_report(folder / "s.jsonl", title="the report"))
    browser.get(page.as_uri())
    return browser


def script(browser: Any, code: str) -> Any:
    return browser.execute_script(code)


def counted(browser: Any, said: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    wait = WebDriverWait(browser, 10)
    wait.until(lambda b: b.find_element("id", "count").text.startswith(f"{said} of"), f"not {said}")


def choose(browser: Any, field: str, value: str) -> None:
    code = "const f = document.getElementById(arguments[0]); f.value = arguments[1];"
    code += "f.dispatchEvent(new Event('input', {bubbles: true}));"
    browser.execute_script(code, field, value)


@pytest.fixture(autouse=True)
def _cleared(opened: Any) -> None:
    script(opened, "document.getElementById('filters').reset()")
    counted(opened, "5,002")
    script(opened, "document.activeElement.blur()")


def heads(browser: Any) -> list[Any]:
    return list(browser.find_elements("css selector", ".rows .head"))


def test_pages_are_turned(opened: Any) -> None:
    assert len(heads(opened)) == 25
    script(opened, "document.getElementById('next').click()")
    assert opened.find_element("id", "page").text == "page 2 of 201"
    assert "completion number 25" in heads(opened)[0].text


def test_filters_by_reason_part_score_and_text(opened: Any) -> None:
    choose(opened, "f-reason", "correct")
    counted(opened, "501")
    choose(opened, "f-text", "NUMBER 42")
    counted(opened, "11")  # 420, and 4200 to 4290
    choose(opened, "f-reason", "")
    counted(opened, "111")
    choose(opened, "f-low", "0.5")
    counted(opened, "11")


def test_a_completion_opens_and_shows_its_verdict(opened: Any) -> None:
    choose(opened, "f-text", "completion number 4242")
    counted(opened, "1")
    script(opened, "document.querySelector('.rows .head').click()")
    body = opened.find_element("css selector", ".rows .body").text
    assert "question 4242" in body
    assert "incorrect" in body


def test_a_hostile_completion_does_nothing(opened: Any) -> None:
    choose(opened, "f-text", "forged")
    counted(opened, "1")
    script(opened, "document.querySelector('.rows .head').click()")
    assert HOSTILE in opened.find_element("css selector", ".rows .body").text
    assert opened.title == "the report"
    assert not opened.find_elements("tag name", "img")


def test_an_abstention_is_found_by_its_chip(opened: Any) -> None:
    script(opened, "document.querySelector('#abstentions button.chip').click()")
    counted(opened, "1")
    assert "unjudged" in heads(opened)[0].text


def test_it_can_be_used_by_keyboard(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(opened).send_keys("njj", Keys.ENTER).perform()
    assert opened.find_element("id", "page").text == "page 2 of 201"
    assert "completion number 26" in opened.find_element("css selector", "li[data-open] .body").text
    ActionChains(opened).send_keys("/", "number 7").perform()
    counted(opened, "111")


def test_the_page_logs_no_error(opened: Any) -> None:
    assert [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"] == []
