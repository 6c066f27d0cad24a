"""The layout holds: imports point downwards, public names are there, the front door is light."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

import referee
from referee.cli import COMMANDS

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "sandbox": {"sandbox"},
    "verifiers": {"verifiers", "sandbox"},
    "envs": {"envs", "verifiers", "sandbox"},
    "trainers": {"trainers", "envs", "verifiers", "sandbox"},
    "referee": {"trainers", "envs", "verifiers", "sandbox", "front"},
}
FRONT_DOORS = ("referee", *(f"referee.{p}" for p in referee._SUBPACKAGES))
PUBLIC = {
    "referee": """
        Completion Group Message Problem Reason Reward Rollout Rubric Verdict __version__ envs
        explain_reward sandbox scored_report show_summary trainers verifier verifiers
        write_training_report
    """,
    "referee.verifiers": """
        AllOf AllowedOperations AnyOf AnyVerifier Centred Choice Closeness Columns Completion
        Composable CosineLength Criteria EditSimilarity Efficiency ElementCount Endpoint Ensemble
        Exact FinishReason GroupVerifier Instructions Item JsonSchema Judge LocalChat Marks Math
        MathVerify Message Moments Numeric OutcomeModel OverlongPenalty PairwiseJudge Part Problem
        ProcessModel Reason Regex RepetitionPenalty Reward RewardModel Rubric Schedule Scored
        Squashed Summary Tags ThinkFormat TokenF1 ToolCall ToolCalls ToolState UnitTests Verdict Verifier
        aggregate_steps all_of answer_of answer_part any_of audit clip criteria_from elements evaluate extract
        extract_code first_decided first_wrong gate invert load_rubric minimum product read_scored
        route score score_file shape split_steps standardise verifier weighted_sum whiten
    """,
    "referee.envs": """
        Cell Curriculum CurriculumState Episode EpisodeLimits FAMILIES Family FamilySource Game
        Group LiveEpisode Mixture OpenEnv Part PrimeEnvironment PrimeTaskset ReasoningGym Rollout
        Session Stop TextEnv Tokens Tool Turn check_env dialogue_for family held_out lint load
        load_rows make_env make_vec roll_out split tokens_of turn_returns
    """,
    "referee.trainers": """
        Abstained AdaptiveKL Alarm CurriculumSource Demonstration FixedKL GroupTrainer HeldOut LoRA
        PPOTrainer PRESETS Policy Preset ProcessTraining Ranking Recipe RewardTraining Run SFT Sampling
        Scorer ServiceLimits Tiny Training aggregate alarms atropos_scores carry_out credit evaluate_pairs
        fine_tune from_trl from_verifiers from_verl gae group_advantages kl_estimate load_backbone
        load_policy load_recipe load_step_classifier loss_normaliser loss_weights measure
        monte_carlo_labels policy_loss preset rankings rloo_advantages sample seed_of tiny_policy to_atropos
        to_evaluate to_gem to_gymnasium to_inspect to_lm_eval to_lm_eval_filter to_ms_swift
        to_nemo_gym to_openenv to_openrlhf to_ray_data to_service to_skyrl_gym to_tinker to_trl
        to_trl_environment to_trl_episodes to_trl_rollouts to_verifiers to_verifiers_classic to_verl
        token_logprobs train_outcome_model train_process_model train_reward_model trl_reward_trainer
    """,
    "referee.sandbox": """
        Calls Capability Check Docker Embedded Execution Job Limits Outcome Program Remote Sandbox
        Source Trial arun_many build_image capabilities conformance run_many
    """,
}


def tracked(folder: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / p for p in listed.stdout.split("\0") if p and not (ROOT / p).is_symlink()]


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            names |= {f"{module}.{a.name}" for a in node.names} if module == "referee" else {module}
    return names


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_downwards(folder: str) -> None:
    for path in tracked(folder):
        if path.suffix != ".py":
            continue
        for name in imported(ast.parse(path.read_text())):
            if name.split(".")[0] in ("verifiers", "envs", "trainers", "sandbox"):
                pytest.fail(f"{path}: import referee.{name}, not {name}")
            if name == "referee" or name.startswith("referee."):
                part = name.split(".")[1] if "." in name else "front"
                part = part if part in MAY_IMPORT else "front"
                assert part in MAY_IMPORT[folder], f"{path} imports {name}"


FLOORS = ("objective", "policy", "record", "loop", "reward_models", "recipes", "adapters")


def test_the_rooms_of_trainers_import_downwards_only() -> None:
    for path in tracked("trainers"):
        if path.suffix != ".py" or path.parent.name == "trainers":
            continue
        for name in imported(ast.parse(path.read_text())):
            if name.startswith("referee.trainers."):
                room = name.split(".")[2]
                if room in FLOORS:
                    assert FLOORS.index(room) <= FLOORS.index(path.parent.name), f"{path} imports {name}"


@pytest.mark.parametrize("package", FRONT_DOORS)
def test_every_public_name_is_there(package: str) -> None:
    module = importlib.import_module(package)
    for name in getattr(module, "__all__", []):
        assert getattr(module, name) is not None


def facade(package: str) -> tuple[ModuleType, ast.Module]:
    module = importlib.import_module(package)
    assert module.__file__ is not None
    return module, ast.parse(Path(module.__file__).read_text())


@pytest.mark.parametrize("package", FRONT_DOORS)
def test_the_public_names_are_these_and_no_others(package: str) -> None:
    module, _ = facade(package)
    assert sorted(module.__all__) == sorted(PUBLIC[package].split())
    assert sorted(dir(module)) == sorted(module.__all__)


@pytest.mark.parametrize("package", FRONT_DOORS)
def test_a_type_checker_reads_every_public_name_from_the_module_that_python_imports_it_from(
    package: str,
) -> None:
    module, tree = facade(package)
    wanted = {(f"{package}.{home}", name) for name, home in module._HOME.items()}
    wanted |= {("referee", name) for name in getattr(module, "_SUBPACKAGES", ())}
    (block,) = [
        n
        for n in tree.body
        if isinstance(n, ast.If) and isinstance(n.test, ast.Name) and n.test.id == "TYPE_CHECKING"
    ]
    seen = []
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name, "only a redundant alias is an export"
            seen.append((node.module, alias.name))
    assert sorted(seen) == sorted(wanted)


def programs() -> dict[str, str]:
    """Return what a reader copies: the Python of the pages, and the examples."""
    found = {p.relative_to(ROOT).as_posix(): p.read_text() for p in tracked("examples") if p.suffix == ".py"}
    for page in [ROOT / "README.md", *(p for p in tracked("docs") if p.suffix == ".md")]:
        for number, block in enumerate(re.findall(r"```python[^\n]*\n(.*?)```", page.read_text(), re.DOTALL)):
            found[f"{page.name}, block {number}"] = block
    return found


def test_every_name_that_the_pages_and_examples_import_is_a_public_one() -> None:
    verbs = {(c.target.partition(":")[0], c.target.partition(":")[2]) for c in COMMANDS.values()}
    seen = 0
    for where, code in programs().items():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "referee":
                for alias in node.names:
                    seen += 1
                    public = alias.name in PUBLIC.get(node.module or "", "").split()
                    assert public or (node.module, alias.name) in verbs, f"{where}: {ast.unparse(node)}"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    assert not alias.name.startswith("referee.") or alias.name in PUBLIC, (
                        f"{where}: {alias.name}"
                    )
    assert seen > 50


def test_the_front_door_is_light() -> None:
    heavy = "[m for m in ('torch', 'sympy', 'numpy') if m in sys.modules]"
    code = f"import time; t = time.process_time(); import referee; t = time.process_time() - t; import sys; print(t, {heavy})"
    seconds = []
    for _ in range(5):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.split(" ", 1)[1].strip() == "[]"
        seconds.append(float(out.split()[0]))
    assert statistics.median(seconds) < 0.1


def modules(folder: str) -> list[str]:
    found = []
    for path in tracked(folder):
        if path.suffix == ".py" and path.name != "__main__.py":
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts if folder == "referee" else ("referee", *parts))
            found.append(name.removesuffix(".__init__"))
    return found


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_every_docstrings_example_runs(folder: str) -> None:
    for name in modules(folder):
        try:
            module = importlib.import_module(name)
        except ImportError as e:
            if "pip install" in str(e):
                continue
            raise
        assert doctest.testmod(module).failed == 0, name


def test_the_wheel_holds_exactly_the_tracked_files(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a copy, so that no earlier build lends its files
    links = [ROOT / "referee" / p for p in referee._SUBPACKAGES]
    for path in [*tracked("."), *links]:
        (source / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, source / path.relative_to(ROOT), follow_symlinks=False)
    (source / "README.md").touch()
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w"]
    subprocess.run([*command, tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    wanted = set()
    for folder in MAY_IMPORT:
        for path in tracked(folder):
            relative = path.relative_to(ROOT).as_posix()
            wanted.add(relative if folder == "referee" else f"referee/{relative}")
    assert inside == wanted


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    inits = {re.sub(r"\.__init__$", "", m) for f in MAY_IMPORT for m in modules(f)}
    packages = {m for m in inits if any(n.startswith(m + ".") for n in inits)} | set(listed)
    assert packages == set(listed)


def test_no_task_is_given_to_a_pool_that_loses_it_where_a_worker_dies() -> None:
    """multiprocessing's Pool starts another worker and the caller waits for ever; an executor says it is broken."""
    for folder in (*MAY_IMPORT, "tests", "benchmarks", "examples"):
        for path in tracked(folder):
            for node in ast.walk(ast.parse(path.read_text())) if path.suffix == ".py" else ():
                lost = isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".Pool")
                assert not lost, f"{path}: {ast.unparse(node)}"


SAME_ON_PURPOSE = {
    "Part",  # of a rubric, of a mixture: public both
    "records.py",  # each folder's own
}


def test_a_name_of_a_class_or_a_file_means_one_thing() -> None:
    homes: dict[str, set[str]] = {}
    for folder in ("verifiers", "envs", "trainers", "sandbox", "referee"):
        for path in (ROOT / folder).rglob("*.py"):
            where = str(path.relative_to(ROOT))
            if "referee/" in where and where.split("/")[1] in ("verifiers", "envs", "trainers", "sandbox"):
                continue  # the symlinks
            if path.name != "__init__.py":
                homes.setdefault(path.name, set()).add(where)
            for node in ast.parse(path.read_text()).body:
                alias = isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias"
                name = node.name if isinstance(node, ast.ClassDef) else node.target.id if alias else "_"
                if not name.startswith("_"):
                    homes.setdefault(name, set()).add(where)
    assert {name: at for name, at in homes.items() if len(at) > 1 and name not in SAME_ON_PURPOSE} == {}
