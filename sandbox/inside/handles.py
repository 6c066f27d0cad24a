"""Proxies of objects that live in the other process: a class of proxies for each of its classes.

A proxy has the special methods that the object's class has, and asks for everything else by name. Its
class derives from the proxies of the class's bases, from the exceptions that it derives from, and from
the plain type whose value it has (a named tuple, an enumeration of numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from referee.sandbox.inside.wire import Malformed

ID, CLASS, PEER = "_referee_id", "_referee_class", "_referee_peer"
PLAIN: dict[str, type[Any]] = {t.__name__: t for t in (tuple, int, str, float, frozenset, bytes)}
_COMPARISONS = ("__lt__", "__le__", "__gt__", "__ge__")
_ARITHMETIC = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "divmod", "and", "or", "xor",
    "lshift", "rshift",
)  # fmt: skip
_REVEALING = frozenset(  # what stands on their other side may be what the tests expect
    f"__{p}{n}__" for n in ("sub", "truediv", "floordiv", "mod", "divmod", "xor") for p in ("", "r", "i")
)
_NUMBERS = {"__len__": int, "__int__": int, "__index__": int, "__float__": float, "__complex__": complex}
_TEXTS = ("__str__", "__repr__", "__format__")
SPECIALS = frozenset(
    [
        *(f"__{p}{n}__" for n in _ARITHMETIC for p in ("", "r", "i")), *_COMPARISONS, *_NUMBERS, *_TEXTS,
        "__eq__", "__hash__", "__bool__", "__iter__", "__next__", "__reversed__", "__contains__",
        "__getitem__", "__setitem__", "__delitem__", "__missing__", "__call__", "__enter__", "__exit__",
        "__aenter__", "__aexit__", "__aiter__", "__anext__", "__await__", "__neg__", "__pos__", "__abs__",
        "__invert__", "__round__", "__trunc__", "__floor__", "__ceil__", "__bytes__", "__fspath__",
    ]
)  # fmt: skip


class Asks(Protocol):
    """What a proxy asks of the connection to where its object lives.

    ``replaced`` are the names, by an object's number, that were set from here.
    """

    replaced: set[tuple[int, str]]

    def ask(self, do: str, number: int, name: str = "", args: Any = (), kwargs: Any = None) -> Any:
        """Have something done with an object there."""
        ...

    def compare(self, mine: Any, other: Any, name: str) -> Any:
        """Have two objects compared there."""
        ...


class HandleType(type):
    """The class of the classes of proxies: calling one makes an instance in the other process."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an instance over there."""
        if CLASS not in cls.__dict__:
            return super().__call__(*args, **kwargs)
        return cls.__dict__[PEER].ask("call", cls.__dict__[CLASS], "", args, kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith(("_referee", "__abstract")) or CLASS not in cls.__dict__:
            raise AttributeError(name)
        return cls.__dict__[PEER].ask("get", cls.__dict__[CLASS], name)

    def __setattr__(cls, name: str, value: Any) -> None:
        if name.startswith(("__", "_referee", "_abc")):
            super().__setattr__(name, value)
        else:
            cls.__dict__[PEER].replaced.add((cls.__dict__[CLASS], name))
            cls.__dict__[PEER].ask("set", cls.__dict__[CLASS], name, (value,))

    def __delattr__(cls, name: str) -> None:
        cls.__dict__[PEER].ask("del", cls.__dict__[CLASS], name)

    def __bool__(cls) -> bool:
        return True

    def __iter__(cls) -> Iterator[Any]:
        return iter(cls.__dict__[PEER].ask("special", cls.__dict__[CLASS], "__iter__"))

    def __len__(cls) -> int:
        return int(cls.__dict__[PEER].ask("special", cls.__dict__[CLASS], "__len__"))

    def __getitem__(cls, key: Any) -> Any:
        return cls.__dict__[PEER].ask("special", cls.__dict__[CLASS], "__getitem__", (key,))

    def __contains__(cls, item: Any) -> bool:
        return any(item is x or item == x for x in cls)


class Handle(metaclass=HandleType):
    """The base of all proxies."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_referee"):
            raise AttributeError(name)
        return peer_of(self).ask("get", number_of(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__") and isinstance(self, BaseException):
            super().__setattr__(name, value)
        else:
            peer_of(self).replaced.add((number_of(self), name))
            peer_of(self).ask("set", number_of(self), name, (value,))

    def __delattr__(self, name: str) -> None:
        peer_of(self).ask("del", number_of(self), name)

    def __dir__(self) -> list[str]:
        return [str(n) for n in peer_of(self).ask("dir", number_of(self))]

    def __copy__(self) -> Any:
        return peer_of(self).ask("copy", number_of(self))

    def __deepcopy__(self, memo: Any) -> Any:
        return peer_of(self).ask("deepcopy", number_of(self))


class ObjectHandle(Handle):
    """The base of proxies that are neither exceptions nor plain values: they hold a number and no more."""

    __slots__ = ("__weakref__", ID)

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return peer_of(self).ask("get", number_of(self), "__dict__")


def number_of(handle: Any) -> int:
    """Return the number that an object has where it lives."""
    return object.__getattribute__(handle, ID)  # type: ignore[no-any-return]


def peer_of(handle: Any) -> Asks:
    """Return the connection to where an object lives."""
    return getattr(type(handle), PEER)  # type: ignore[no-any-return]


def is_handle(value: Any) -> bool:
    """Tell whether a value is a proxy of an instance."""
    return issubclass(type(value), Handle)


def make_class(peer: Asks, number: int, described: dict[str, Any], bases: list[type], real: Any) -> type:
    """Return the class of proxies for a class as the other process describes it.

    ``real`` is the class of this process that goes by the same name, where there is one.
    """
    name = str(described["name"])[:80]
    specials = {s for s in described["specials"] if s in SPECIALS}
    namespace: dict[str, Any] = {"__module__": "solution", "__qualname__": name, PEER: peer, CLASS: number}
    plain = described.get("plain")
    error = any(issubclass(b, BaseException) for b in bases)
    for special in specials:
        if plain not in PLAIN or special in described["own"]:
            namespace[special] = _special(special)
    if "__eq__" not in namespace:
        namespace.pop("__hash__", None)
    elif "__hash__" not in namespace:
        namespace["__hash__"] = None if described["unhashable"] else object.__hash__
    for method in described["methods"]:
        if isinstance(method, str) and method.isidentifier() and not method.startswith(("__", "_referee")):
            namespace[method] = _Method(method)
    if error:
        namespace["__str__"] = lambda self: object.__getattribute__(self, "_referee_text")
        namespace.pop("__eq__", None), namespace.pop("__hash__", None)
    elif real is not None:
        namespace["__class__"] = property(lambda self: real)
    root = Handle if error or plain in PLAIN else ObjectHandle
    if root is ObjectHandle:
        namespace["__slots__"] = ()
    own = [b for b in bases if issubclass(b, Handle)]
    others = [b for b in bases if not issubclass(b, Handle)]
    whole: list[type] = [*own, *([] if any(issubclass(b, root) for b in own) else [root]), *others]
    tried: list[list[type]] = [whole, [root, *others], [root]]
    for parents in tried:
        if plain in PLAIN and not any(issubclass(p, PLAIN[plain]) for p in parents):
            parents = [*parents, PLAIN[plain]]
        try:
            return HandleType(name, tuple(parents), namespace)
        except TypeError:
            continue
    raise Malformed("there can be no such class")


def make_instance(kind: type, number: int, base: Any, *, arguments: Any = None, text: str = "") -> Any:
    """Return a proxy of an instance; ``base`` is the plain value that it has.

    One of an exception has ``arguments`` and ``text`` instead.
    """
    if arguments is not None:
        handle = kind.__new__(kind, *arguments)
        BaseException.__setattr__(handle, "args", arguments)
        object.__setattr__(handle, "_referee_text", text)
    else:
        plain = next((p for p in PLAIN.values() if issubclass(kind, p)), None)
        handle = object.__new__(kind) if plain is None else plain.__new__(kind, base)
    object.__setattr__(handle, ID, number)
    return handle


class _Method:
    """A method of the object's class, called in one step, unless the tests put something in its place."""

    def __init__(self, name: str) -> None:
        def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return peer_of(self).ask("call", number_of(self), name, args, kwargs)

        method.__name__ = method.__qualname__ = self.name = name
        self.function = method

    def __get__(self, handle: Any, owner: Any) -> Any:
        peer = getattr(owner, PEER)
        if handle is None:
            kind = owner.__dict__.get(CLASS)
            return peer.ask("get", kind, self.name) if (kind, self.name) in peer.replaced else self.function
        if {(number_of(handle), self.name), (type(handle).__dict__.get(CLASS), self.name)} & peer.replaced:
            return peer.ask("get", number_of(handle), self.name)
        return self.function.__get__(handle)


def _special(name: str) -> Callable[..., Any]:
    if name == "__eq__":
        return _equal
    if name in _COMPARISONS or name in _REVEALING:
        return _ordered(name)
    if name == "__contains__":
        return _contains

    def special(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        result = peer_of(self).ask("special", number_of(self), name, args, kwargs)
        if name in _TEXTS:
            return str(result)
        if name in _NUMBERS or name == "__hash__":
            return _NUMBERS.get(name, int)(result)
        return bool(result) if name == "__bool__" else result

    special.__name__ = name
    return special


def _equal(self: Any, other: Any) -> Any:
    """Compare with another proxy there; with anything else here: it is not the same."""
    if self is other:
        return True
    if not is_handle(other) or peer_of(other) is not peer_of(self):
        return NotImplemented
    return peer_of(self).compare(self, other, "__eq__")


def _ordered(name: str) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        if not is_handle(other) or peer_of(other) is not peer_of(self):
            return NotImplemented
        return peer_of(self).compare(self, other, name)

    return compare


def _contains(self: Any, item: Any) -> bool:
    """Look for an item here, among what the object yields."""
    if is_handle(item) and peer_of(item) is peer_of(self):
        return bool(peer_of(self).compare(self, item, "__contains__"))
    return any(item is x or item == x for x in iter(self))


def special_names(kind: type) -> tuple[list[str], list[str]]:
    """Return the special methods of a class, and those of them that no plain type gave it."""
    found, own = [], []
    for name in sorted(SPECIALS):
        for base in kind.__mro__:
            if name in vars(base) and base is not object:
                if vars(base)[name] is None:
                    break
                found.append(name)
                if base not in PLAIN.values():
                    own.append(name)
                break
    return [*found, *(n for n in ("__str__", "__repr__", "__format__") if n not in found)], own


def method_names(kind: type) -> list[str]:
    """Return the names of the functions of a class."""
    function = type(method_names)
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        found.update(vars(base) if base.__module__ != "builtins" else {})
    return [n for n, v in found.items() if type(v) is function and not n.startswith("__")]
