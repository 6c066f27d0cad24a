"""What goes wrong, as one small tree. Every class also is the standard library's that suits it.

    Exception
    └── RefereeError                                 everything that is raised by a name of ours
        ├── UserMistake                              what was given cannot be used: one line, exit code 2
        │   ├── BadInput (ValueError)                an argument of a command
        │   ├── MissingExtra (ImportError)           a package that is not installed; says the pip line
        │   ├── RubricError (ValueError)             a rubric's file
        │   ├── RecipeError (ValueError)             a recipe, or the folder for its run
        │   ├── OtherRun (ValueError)                a folder that holds another training run
        │   ├── PromptTooLong (ValueError)           a problem that a run does not take
        │   ├── RowError, MissingColumn (ValueError) a line of a file to score
        │   ├── BadRow (ValueError)                  a row of a file of problems
        │   ├── SourceError (ValueError)             a file that is nothing that can be read
        │   ├── StoreError (ValueError)              an output that is not this run's
        │   ├── NotTheSame (ValueError)              two files of different completions
        │   ├── NothingToShow (ValueError)           a file or folder that no report can be about
        │   └── BrokenVerifier (RuntimeError)        a verifier that failed on all there was to judge
        ├── NotJudged                                nobody's fault who wrote: it becomes an abstention
        │   ├── JudgeUnavailable (RuntimeError)      a judge that is away
        │   │   └── TooLong                          it was sent more than it reads
        │   ├── NoAnswer (RuntimeError)              a worker that stayed silent
        │   ├── NurseryDied (RuntimeError)           workers cannot be started
        │   ├── BadTools (ValueError)                the tools of a row that cannot be read
        │   └── Abstained (RuntimeError)             a rubric that abstained where a number is needed
        └── UnreadableText                           what a model wrote: caught in its room, becomes a verdict
            ├── Unreadable, TooBig, NumberTooLong, Nonsense, QueryError, NotSource (ValueError)
            └── QueryLimit, Overrun (RuntimeError)   reading it would pass a bound

The command line shows a :class:`UserMistake` as one line; whatever else comes up is a fault of ours and keeps
its traceback. A constructor that is called from Python with a wrong argument raises a plain ``ValueError`` or
``TypeError``: the doors that read what a user wrote (a recipe, a rubric's file, an argument) make of it the
class above that names the key. ``referee.sandbox`` imports nothing of ours and has a root of its own,
``ServerDown`` (RuntimeError), which never reaches a user: a sandbox that is down is a verdict's reason.
``Interrupted`` is no error and no ``Exception``: it ends a thread of code that was given up.
"""

from __future__ import annotations


class RefereeError(Exception):
    """The root of what is raised by a name of ours."""


class UserMistake(RefereeError):
    """What a user gave cannot be used. The message names it, says what was expected, and what to do."""


class NotJudged(RefereeError):
    """Nothing can be said about a completion, through no fault of it."""


class UnreadableText(RefereeError):
    """What a model wrote cannot be read, or not within bounds. It is data: the room that read it decides."""


class BrokenVerifier(UserMistake, RuntimeError):
    """A verifier failed on everything that it was given. The message holds its first error."""


class MissingExtra(UserMistake, ImportError):
    """A package is not installed. The message says what needs it, and the pip line."""
