"""One end of the connection between judge and solution: calls, and objects by handle, in both directions.

What is plain data crosses as such. Anything else stays where it was made and crosses as a number, for
which the other end has a proxy (:mod:`referee.sandbox.inside.handles`). While one end waits for an
answer it does what the other end asks.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

from referee.sandbox.inside import handles, raised
from referee.sandbox.inside.handles import Handle, HandleType
from referee.sandbox.inside.library_values import decoder, encode_value
from referee.sandbox.inside.shared import CONTAINERS, SharedContainers
from referee.sandbox.inside.wire import _NAMES, Connection, Malformed, Tree, Unplain, decode, encode

MESSAGE_LIMIT = 64 << 20
_WIRE = (*CONTAINERS[:5], frozenset, bytes, complex, range, tuple, int, float, str)
_NUMBERS = {("decimal", "Decimal"), ("fractions", "Fraction")}
_REAL = {
    t.__name__: t
    for t in (
        types.GeneratorType,
        types.FunctionType,
        types.MethodType,
        types.CoroutineType,
        types.ModuleType,
    )
}


class Peer:
    """What both ends have in common: numbers for objects, and the loop that asks and answers."""

    first = 0  # of the numbers for containers: even here, odd over there
    plain = False  # whether the tests use plain data alone: then only iterators stay where they are
    stops = False  # whether StopIteration may come from a call

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.shared = SharedContainers(self.first, self.encode, self.decode)
        self.replaced: set[tuple[int, str]] = set()
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._proxies: dict[int, Any] = {}
        self._classes: dict[int, type] = {}

    # what crosses

    def encode(self, value: Any) -> Tree:
        """Return a value as tagged JSON."""
        return encode(value, 0, self._special)

    def decode(self, tree: Tree) -> Any:
        """Return the value that tagged JSON stands for."""
        return decode(tree, 0, self._rebuilt)

    def number(self, value: Any) -> int:
        """Return the number of an object that stays here."""
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return number

    def exports(self, value: Any) -> bool:
        """Tell whether an object may be used from the other end."""
        return True

    def namesake(self, module: str, name: str) -> type | None:
        """Return the class of this process that one of the other's answers to in ``isinstance``."""
        return _REAL.get(name) if module == "builtins" else None

    def _special(self, value: Any) -> Tree:
        kind = type(value)
        if kind in _WIRE or (kind.__module__, kind.__name__) in _NUMBERS:
            return None
        if isinstance(kind, HandleType) and issubclass(kind, Handle):
            return {"t": "yours", "v": handles.number_of(value)}
        if isinstance(value, HandleType):
            return {"t": "yours class", "v": value.__dict__[handles.CLASS]}
        try:
            tree = encode_value(value, self.encode)
        except (AttributeError, TypeError, ValueError) as e:
            raise Unplain(str(e)) from None
        if tree is not None or (id(value) in _NAMES and not isinstance(value, Exception)):
            return tree
        if isinstance(value, BaseException):
            return {"t": "raised", "v": self.describe_error(value)}
        if not self.exports(value):
            return None
        if isinstance(value, type):
            return {"t": "class", "v": self.number(value)}
        plain = next((p for p in handles.PLAIN.values() if isinstance(value, p)), None)
        base = None if plain is None else encode(_as_plain(value, plain), 0, self._special)
        return {"t": "mine", "v": [self.number(value), self.number(kind), base]}

    def _rebuilt(self, tag: str, inner: Any) -> Any:
        try:
            if (make := decoder(tag)) is not None:
                return make(inner, self.decode)
            if tag == "mine":
                number, kind, base = inner
                if number not in self._proxies:
                    made = handles.make_instance(self.class_of(kind), number, self.decode(base))
                    self._proxies[number] = made
                return self._proxies[number]
            if tag == "class":
                return self.class_of(inner)
            if tag in ("yours", "yours class"):
                return self.object(inner)
            if tag == "raised":
                return self.rebuild_error(inner)
        except Malformed:
            raise
        except (
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            AttributeError,
            ArithmeticError,
            MemoryError,
        ) as e:
            raise Malformed(f"a {tag[:40]} that cannot be: {e}") from None
        return NotImplemented

    def object(self, number: Any) -> Any:
        """Return the object that has a number here."""
        if type(number) is not int or not 0 <= number < len(self._objects):
            raise Malformed("there is no such object")
        return self._objects[number]

    def class_of(self, number: Any) -> type:
        """Return the class of proxies for a class of the other end, which is asked what it is like."""
        if type(number) is not int:
            raise Malformed("a class has a number")
        if number not in self._classes:
            described = self.accepted(self.ask("describe", number))
            bases: list[type] = []
            for base in described["bases"][:16]:
                found = self._base(base)
                if found is not None and found not in bases:
                    bases.append(found)
            real = self.namesake(str(described["module"]), str(described["name"]))
            self._classes[number] = handles.make_class(self, number, described, bases, real)
        return self._classes[number]

    def accepted(self, described: Any) -> dict[str, Any]:
        """Return what is believed of a description."""
        if not isinstance(described, dict):
            raise Malformed("no description of a class")
        return described

    def _base(self, base: Any) -> type | None:
        if isinstance(base, int):
            return self.class_of(base)
        module, name = base
        if name in handles.PLAIN and module == "builtins":
            return handles.PLAIN[name]
        kind, _ = raised.nearest([[module, name]], stops=self.stops)
        return kind

    def describe(self, kind: Any) -> dict[str, Any]:
        """Return what the other end must know of a class."""
        if not isinstance(kind, type):
            raise TypeError("only a class can be described")
        specials, own = handles.special_names(kind)
        steps = [self.number(b) if self.is_own(b) else [b.__module__, b.__qualname__] for b in kind.__bases__]
        steps += [[b.__module__, b.__qualname__] for b in kind.__mro__ if issubclass(b, BaseException)]
        return {
            "name": kind.__qualname__.rpartition(".")[2],
            "module": kind.__module__,
            "bases": steps,
            "specials": specials,
            "own": own,
            "unhashable": getattr(kind, "__hash__", None) is None,
            "methods": handles.method_names(kind),
            "plain": next((n for n, p in handles.PLAIN.items() if issubclass(kind, p)), None),
        }

    def is_own(self, kind: type) -> bool:
        """Tell whether a class was defined by the program that this end serves."""
        return kind.__module__ in ("solution", "__main__", "__tests__")

    def describe_error(self, error: BaseException) -> dict[str, Tree]:
        """Return an exception as it crosses; one of the program's own classes stays here as an object."""
        described = raised.describe(error, self.encode)
        if self.is_own(type(error)) and self.exports(error):
            described["own"] = [self.number(error), self.number(type(error))]
        return described

    def rebuild_error(self, described: Any) -> BaseException:
        """Return the exception that such a description stands for."""
        error = raised.rebuild(described, self.decode, stops=self.stops)
        if "own" not in described:
            return error
        number, kind = described["own"]
        if number not in self._proxies:
            found = self.class_of(kind)
            if not issubclass(found, BaseException):
                raise Malformed("no class of exceptions")
            arguments = tuple(self.decode(a) for a in described["args"] or ())
            self._proxies[number] = handles.make_instance(
                found, number, None, arguments=arguments, text=str(described["text"])
            )
        found_error = self._proxies[number]
        if not isinstance(found_error, BaseException):
            raise Malformed("no exception")
        return found_error

    # asking and answering

    def ask(self, do: str, number: int | None, name: str = "", args: Any = (), kwargs: Any = None) -> Any:
        """Have something done at the other end; raises what it raised there."""
        message: dict[str, Tree] = {
            "do": do,
            "of": number,
            "name": name,
            "args": [self.shared.send(a) for a in args],
            "kwargs": {k: self.shared.send(a) for k, a in kwargs.items()} if kwargs else {},
            "writes": self.shared.writes(),
            "drop": self.forget(),
            "plain": self.plain,
        }
        value, error = self.read(self.exchange(message), name)
        if error is not None:
            raise error
        return value

    def forget(self) -> list[Tree]:
        """Return the numbers of the containers that this end gives up."""
        return []

    def compare(self, mine: Any, other: Any, name: str) -> Any:
        """Have two objects compared where both live."""
        return self.ask("special", handles.number_of(mine), name, (other,))

    def exchange(self, message: dict[str, Tree]) -> dict[str, Any]:
        """Send a message and return its answer, doing meanwhile what the other end asks."""
        self.connection.send(message)
        while True:
            answer = self.connection.receive(limit=MESSAGE_LIMIT)
            if not isinstance(answer, dict):
                raise Malformed("an answer must be an object")
            if "do" not in answer:
                return answer
            self.connection.send(self.serve(answer))

    def read(self, answer: dict[str, Any], name: str) -> tuple[Any, BaseException | None]:
        """Return the value of an answer, or what it says was raised."""
        self.shared.apply(answer.get("writes") or ())
        if "raised" in answer:
            return None, self.rebuild_error(answer["raised"])
        value = self.shared.receive(answer["value"])
        if answer.get("ended"):
            return None, {"__next__": StopIteration, "__anext__": StopAsyncIteration}[name](value)
        return (_awaitable(value) if answer.get("awaited") else value), None

    def serve(self, request: dict[str, Any]) -> dict[str, Tree]:
        """Do what the other end asks, and return the answer."""
        answer: dict[str, Tree] = {}
        try:
            self.shared.apply(request.get("writes") or ())
            self.shared.drop(request.get("drop") or ())
            args = [self.shared.receive(a) for a in request["args"]]
            kwargs = {k: self.shared.receive(a) for k, a in (request.get("kwargs") or {}).items()}
            try:
                value = self.perform(
                    request.get("do", "call"), request.get("of"), request["name"], args, kwargs
                )
            except (StopIteration, StopAsyncIteration) as e:
                if request["name"] not in ("__next__", "__anext__"):
                    raise
                answer["ended"] = True
                value = getattr(e, "value", None)
            if isinstance(value, types.CoroutineType) or request["name"] in (
                "__anext__",
                "__aenter__",
                "__aexit__",
            ):
                answer["awaited"] = True
                value, ended = self.awaited(value)
                if ended:
                    answer["ended"] = True
            answer["value"] = self.shared.send(value)
        except Malformed:
            raise
        except BaseException as e:  # noqa: BLE001  # whatever it raises is its answer
            answer = {"raised": self.failure(e)}
        answer["writes"] = self.shared.writes()
        return answer

    def failure(self, error: BaseException) -> dict[str, Tree]:
        """Return what crosses of an exception that ended a call."""
        return self.describe_error(error)

    def awaited(self, value: Any) -> tuple[Any, bool]:
        """Run a coroutine to its end; true where it was that of an iteration."""
        raise Malformed("nothing is awaited here")

    def perform(self, do: str, number: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Do one thing with an object of this end."""
        target = self.object(number)
        if do == "call":
            return (getattr(target, name) if name else target)(*args, **kwargs)
        if do == "get":
            return getattr(target, name)
        if do == "set":
            return setattr(target, name, *args)
        if do == "del":
            return delattr(target, name)
        if do == "special":
            return _special_call(target, name, args, kwargs)
        if do == "describe":
            return self.describe(target)
        if do == "dir":
            return dir(target)
        if do in ("copy", "deepcopy"):
            import copy

            return getattr(copy, do)(target)
        raise Malformed("nothing of the kind can be asked")


_BY_FUNCTION: dict[str, Callable[..., Any]] = {
    "__iter__": iter, "__next__": next, "__len__": len, "__str__": str, "__repr__": repr, "__hash__": hash,
    "__format__": format, "__bool__": bool,
}  # fmt: skip


def _special_call(target: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if name not in handles.SPECIALS:
        raise Malformed("there is no such method")
    if name in _BY_FUNCTION:
        return _BY_FUNCTION[name](target, *args)
    if isinstance(target, type):
        if name == "__getitem__":
            return target[args[0]]  # type: ignore[index]
        return getattr(type(target), name)(target, *args)
    if name == "__call__":
        return target(*args, **kwargs)
    return getattr(type(target), name)(target, *args, **kwargs)


def _as_plain(value: Any, plain: Any) -> Any:
    if plain is tuple:
        return tuple(tuple.__iter__(value))
    if plain is frozenset:
        return frozenset(frozenset.__iter__(value))
    if plain is bytes:
        return bytes.fromhex(bytes.hex(value))
    return {int: int.__int__, float: float.__float__, str: str.__str__}[plain](value)


def _awaitable(value: Any) -> Any:
    async def awaited() -> Any:
        return value

    return awaited()


def loaded_class(module: str, name: str) -> type | None:
    """Return a class of the standard library that is loaded here, by name."""
    if module.split(".")[0] not in sys.stdlib_module_names or module.split(".")[0] in (
        "builtins",
        "unittest",
    ):
        return None
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None
