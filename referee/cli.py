"""The command line: ``referee VERB ...``.

Each verb is a function in a module of its own, imported only when that verb is used, so that
``referee --help`` is there at once. Exit codes: 0 fine, 1 a verdict fails (``verify``, ``audit``, ``lint``,
``score`` where it was given a bar), 2 usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import cyclopts

from referee import __version__
from referee.verifiers.errors import UserMistake
from referee.verifiers.extras import missing_in

FINE, FAILS, USAGE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Command:
    """A verb: the function that does it, what it does in a line, and an example that a test runs."""

    target: str
    help: str
    example: str


COMMANDS = {
    "audit": Command(
        "referee.commands.audit:audit",
        "Try to fool a verifier, and measure how often it is wrong.",
        "referee audit math --problems problems.jsonl",
    ),
    "compare": Command(
        "referee.commands.comparing:compare",
        "Say which verdicts flip between two scorings, and what would be taught otherwise.",
        "referee compare math numeric completions.jsonl",
    ),
    "doctor": Command(
        "referee.commands.doctor:doctor",
        "Say what this machine can isolate and accelerate, what it cannot, and what would help.",
        "referee doctor",
    ),
    "lint": Command(
        "referee.commands.lint:lint",
        "Check a data file line by line: columns, prompts, ids, references.",
        "referee lint problems.jsonl --verifier math",
    ),
    "pairs": Command(
        "referee.commands.pairs:pairs",
        "Make preference pairs of a scored file, for DPO, KTO and their kind.",
        "referee pairs scored.jsonl -o pairs.jsonl --kind right_wrong",
    ),
    "report": Command(
        "referee.commands.report:report",
        "Write one self-contained HTML page about a scored file, or a training run.",
        "referee report scored.jsonl -o report.html",
    ),
    "sample": Command(
        "referee.commands.sample:sample",
        "Keep the completions that pass, as rows for supervised fine-tuning.",
        "referee sample scored.jsonl -o passing.jsonl --prefer diverse",
    ),
    "sandbox": Command(
        "referee.commands.sandbox:sandbox",
        "Make the Docker sandbox's image from this machine's own Python, without any registry.",
        "referee sandbox build-image",
    ),
    "score": Command(
        "referee.commands.score:score",
        "Score a file of completions with a rubric; interrupted, it goes on where it stopped.",
        "referee score math completions.jsonl -o scored.jsonl",
    ),
    "serve": Command(
        "referee.commands.serve:serve",
        "Serve a rubric over HTTP, for trainers and tools in any language.",
        "referee serve rubric.yaml --port 8000",
    ),
    "summary": Command(
        "referee.commands.summarise:summary",
        "Print pass@k, majority votes and best-of-n of a scored file, with intervals.",
        "referee summary scored.jsonl --breakdown source",
    ),
    "train": Command(
        "referee.commands.train:train",
        "Train a policy on verified rewards; interrupted, it goes on where it stopped.",
        "referee train recipe.yaml -o runs/first --steps 100",
    ),
    "verify": Command(
        "referee.commands.verify:verify",
        "Judge one completion, and say why.",
        'referee verify math --text "so x = 3/4" --answer 0.75',
    ),
}


def make_app() -> cyclopts.App:
    """Return the application with every verb, none of them imported."""
    app = cyclopts.App(
        name="referee",
        help="Rewards and verifiers for language models.",
        version=__version__,
        help_format="markdown",
        help_epilogue="Each verb explains itself: `referee score --help`",
    )
    for name, command in COMMANDS.items():
        app.command(
            command.target, name=name, help=command.help, help_epilogue=f"Example: `{command.example}`"
        )
    return app


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    A :class:`~referee.verifiers.errors.UserMistake` is said in one line on stderr, and so is a package
    that is not installed; anything else that goes wrong is a fault of ours and keeps its traceback.
    """
    words = list(sys.argv[1:] if tokens is None else tokens)
    try:
        code = make_app()(
            words,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except cyclopts.UnknownCommandError as e:
        word = (e.unused_tokens or [""])[0]
        return _complain(f"no verb is {word!r}; verbs are {', '.join(COMMANDS)}. See referee --help")
    except cyclopts.CycloptsError as e:
        return _complain(str(e).strip())
    except BrokenPipeError:  # the reader of our output (head, less) has enough
        sys.stderr.close()
        return FINE
    except KeyboardInterrupt:
        print("referee: interrupted; what was done is kept", file=sys.stderr)  # noqa: T201
        return 130
    except UserMistake as e:
        return _complain(str(e))
    except ImportError as e:
        mistake = missing_in(e, f"referee {words[0]}" if words else "referee")
        if mistake is None:
            raise
        return _complain(str(mistake))
    return code if isinstance(code, int) else FINE


def _complain(message: str) -> int:
    print(f"referee: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
