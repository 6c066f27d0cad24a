"""What a recipe asks and pays for: its problems, what is held out, how they are gone through, the rubric.

No held-out prompt is trained on, at any level of any family. A game's prompt does not tell what is hidden,
so that its held-out problems are those of another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from referee.envs.curriculum import Cell, Curriculum
from referee.envs.episode import EpisodeLimits
from referee.envs.families import family
from referee.envs.game import Game
from referee.envs.mixture import Mixture, Part
from referee.envs.procedural import Family
from referee.trainers.loop.problem_source import CurriculumSource, Problems, ProblemSource
from referee.trainers.loop.rollouts import MultiTurn, demonstration
from referee.trainers.loop.sft import Demonstration
from referee.trainers.policy.policy import Policy
from referee.trainers.recipes.recipe import ProblemOptions, Recipe, RecipeError
from referee.verifiers.combine import route
from referee.verifiers.records import Message, Problem
from referee.verifiers.rubric import Rubric
from referee.verifiers.rubric_file import RubricError, load_rubric, rubric_from

ATTEMPTS, STRIDE = 1000, 10_000_019


def problems_of(recipe: Recipe) -> tuple[Problems, list[Problem]]:
    """Return the problems to train on and the held-out ones, which share no prompt."""
    p, held = recipe.problems, recipe.heldout
    if p.family or p.mixture:
        return _procedural(recipe)
    problems = [_asked(problem, p) for problem in _loaded(p, "problems")]
    if held.file:
        heldout = [
            _asked(problem, p) for problem in _loaded(replace(p, file=held.file, dataset=""), "heldout")
        ]
    else:
        heldout, problems = problems[: held.count], problems[held.count :]
    known = {problem.prompt_text for problem in heldout}
    problems = [problem for problem in problems if problem.prompt_text not in known]
    if not problems:
        raise RecipeError(f"heldout leaves no problem to train on: lower heldout.count ({held.count})")
    return problems, heldout


def rubric_of(recipe: Recipe) -> Rubric:
    """Return what is paid: the recipe's rubric, else each family's own verdict."""
    if isinstance(recipe.rubric, str):
        try:
            return load_rubric(recipe.rubric)
        except (RubricError, OSError) as e:
            raise RecipeError(f"rubric: {_said(e)}") from None
    if recipe.rubric is not None:
        try:
            return rubric_from(recipe.rubric)
        except RubricError as e:
            raise RecipeError(f"rubric: {e}") from None
    families = families_of(recipe)
    if not families:
        raise RecipeError("rubric must be given where problems are not of a family")
    if len(families) == 1:
        return Rubric(dict(families))
    return Rubric({"right": route("family", dict(families))})


def rollouts_of(recipe: Recipe) -> MultiTurn | None:
    """Return episodes where a family plays several turns or has tools, or the recipe asks for them."""
    families, options = families_of(recipe), recipe.episode
    if options is None:
        several = any(isinstance(f, Game) or getattr(f, "tools", ()) for f in families.values())
        return MultiTurn(families=tuple(families.values())) if several else None
    try:
        limits = EpisodeLimits(turns=options.turns, tokens=options.tokens, seconds=options.seconds)
    except ValueError as e:
        raise RecipeError(f"episode: {e}") from None
    return MultiTurn(
        families=tuple(families.values()),
        tools=[_tool(name) for name in options.tools] or None,
        limits=limits,
        context_tokens=options.context_tokens,
    )


def demonstrations_of(
    recipe: Recipe, problems: Problems, policy: Policy
) -> Sequence[Demonstration] | Callable[[int], Demonstration]:
    """Return what a warm start shows: golds of families, games that are won, else solutions or answers."""
    families = families_of(recipe)

    def shown(problem: Problem) -> Demonstration:
        found = families.get(str(problem.info.get("family", "")))
        if isinstance(found, Game):
            moves = found.play(problem, lambda state: found.gold_move(problem, state))
            return demonstration(policy, found, problem, moves)
        if found is not None:
            return problem, found.gold(problem)
        if problem.answer is None and not problem.info.get("solution"):
            raise RecipeError(
                "warm_start needs problems with answers, which it shows to the policy; got none"
            )
        return problem, str(problem.info.get("solution") or problem.answer)

    if isinstance(problems, CurriculumSource):
        cells = list(problems.cells.values())
        return lambda i: shown(cells[i % len(cells)](i // len(cells)))
    if callable(problems):
        return lambda i: shown(problems(i))
    if isinstance(problems, ProblemSource):
        return lambda i: shown(problems.problems([i])[0])
    return [shown(problem) for problem in problems]


def families_of(recipe: Recipe) -> dict[str, Family]:
    """Return the families of a recipe by name; none where its problems are read from a file."""
    p, out = recipe.problems, {}
    for name in [p.family] if p.family else [part.family for part in p.mixture]:
        try:
            out[name] = family(name, terse=p.terse)
        except ValueError as e:
            raise RecipeError(f"problems: {e}") from None
    return out


def _procedural(recipe: Recipe) -> tuple[Problems, list[Problem]]:
    p, families = recipe.problems, families_of(recipe)
    cells = _cells(recipe)
    for number, cell in enumerate(cells):
        where = f"mixture[{number}].level" if p.mixture else "level"
        if not 0 <= cell.level < families[cell.family].levels:
            most = families[cell.family].levels - 1
            raise RecipeError(f"problems.{where} must be from 0 to {most}, got {cell.level}")
    heldout: dict[str, Problem] = {}
    for number, cell in enumerate(cells):
        share = (recipe.heldout.count * (number + 1)) // len(cells)  # of all, with the cells before
        it = families[cell.family]
        for index in range(20 * recipe.heldout.count):
            if len(heldout) >= share:
                break
            problem = it.problem(p.seed + 1, index, cell.level)
            heldout.setdefault(_what(it, problem), _asked(problem, p))
    sources = {
        cell: partial(_draw, families[cell.family], cell.level, p, frozenset(heldout)) for cell in cells
    }
    if recipe.curriculum is not None:
        c = recipe.curriculum
        try:
            curriculum = Curriculum(
                cells=tuple(cells),
                rule=c.rule,
                target=c.target,
                decay=c.decay,
                explore=c.explore,
                ucb=c.ucb,
                seed=recipe.training.seed,
            )
        except ValueError as e:
            raise RecipeError(f"curriculum: {e}") from None
        return CurriculumSource(curriculum, sources), list(heldout.values())
    if len(cells) == 1:
        return sources[cells[0]], list(heldout.values())
    try:
        parts = {
            f"{part.family}/{part.level}": Part(source=sources[cell], weight=part.weight)
            for part, cell in zip(p.mixture, cells, strict=True)
        }
    except ValueError as e:
        raise RecipeError(f"problems.mixture: {e}") from None
    return Mixture(parts=parts, seed=p.seed), list(heldout.values())


def _cells(recipe: Recipe) -> list[Cell]:
    p = recipe.problems
    if p.mixture:
        cells = [Cell(part.family, part.level) for part in p.mixture]
        if len(set(cells)) < len(cells):
            raise RecipeError("problems.mixture must name each family at each level once")
        return cells
    if recipe.curriculum is not None:
        return [Cell(p.family, level) for level in range(families_of(recipe)[p.family].levels)]
    return [Cell(p.family, p.level)]


def _draw(it: Family, level: int, options: ProblemOptions, heldout: frozenset[str], position: int) -> Problem:
    """Return a problem of a cell that is not held out."""
    for attempt in range(ATTEMPTS):
        problem = it.problem(options.seed, position + attempt * STRIDE, level)
        if _what(it, problem) not in heldout:
            return _asked(problem, options)
    raise RecipeError("heldout leaves hardly a problem to train on: lower heldout.count")


def _what(it: Family, problem: Problem) -> str:
    """Return what tells problems apart: what is asked, and of games, where it is hidden, the problem's id."""
    return problem.id if isinstance(it, Game) else problem.prompt_text


def _tool(name: str) -> Any:
    from referee.envs import standard_tools

    tools = {"calculator": standard_tools.CALCULATOR, "python": standard_tools.PYTHON}
    if name not in tools:
        raise RecipeError(f"episode.tools must be of {', '.join(tools)}, got {name!r}")
    return tools[name]


def _loaded(options: ProblemOptions, where: str) -> list[Problem]:
    """Read problems from a file or a dataset; ``where`` is the recipe's key that names it."""
    from referee.envs.loaders import load, load_rows

    layout = options.layout or None
    if options.file:
        try:
            return load(options.file, layout=layout)
        except (ValueError, OSError) as e:
            raise RecipeError(f"{where}.file: {options.file}: {_said(e)}") from None
    import datasets

    try:
        rows = datasets.load_dataset(options.dataset, split=options.split)
        return load_rows(rows, layout=layout)
    except (ValueError, OSError, RuntimeError) as e:  # what the library says of names, splits and networks
        raise RecipeError(f"{where}.dataset: {options.dataset}: {_said(e)}") from e


def _said(error: Exception) -> str:
    """Return an error's first line; of a file that cannot be opened, why."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _asked(problem: Problem, options: ProblemOptions) -> Problem:
    if not options.chat or not isinstance(problem.prompt, str):
        return problem
    system = (Message(role="system", content=options.system),) if options.system else ()
    return replace(problem, prompt=(*system, Message(role="user", content=problem.prompt)))
