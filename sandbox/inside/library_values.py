"""Values of the standard library, numpy and pandas that cross between judge and solution as what they are.

Each is taken apart into plain data and put together by its own constructor from checked parts; nothing
is imported for it, and subclasses do not count. What is not loaded here can't have been made here.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from referee.sandbox.inside.wire import Malformed, Tree

Inner = Callable[[Any], Any]
_PATHS = ("PurePosixPath", "PureWindowsPath", "PosixPath", "WindowsPath")
_DTYPES = "biufcmMSU"
_OWN_MODULES = frozenset(  # what is raised here may steer tests, or is a program's own
    {
        "solution",
        "unittest",
        "_pytest",
        "pytest",
        "referee",
        "__main__",
        "__tests__",
        "doctest",
        "bdb",
        "hypothesis",
    }
)


def _loaded(module: str, name: str) -> Any:
    return getattr(sys.modules.get(module), name, None)


def encode_value(value: Any, inner: Inner) -> Tree:
    """Return a value as tagged JSON, or None where it is none of these."""
    kind = type(value)
    if isinstance(value, type):
        return _encode_class(value)
    if kind is types.TracebackType:
        return {"t": "nothing", "v": None}
    where = kind.__module__
    if where not in _ENCODERS:
        return None
    encoder = _ENCODERS[where].get(kind.__name__)
    if encoder is None or (_loaded(where, kind.__name__) is not kind and where != "builtins"):
        return None
    parts: Tree = encoder(value, inner)
    return {"t": f"{where}.{kind.__name__}", "v": parts}


def decoder(tag: str) -> Callable[[Any, Inner], Any] | None:
    """Return what puts a tagged value together, where there is such a tag."""
    return _DECODERS.get(tag)


def _encode_class(kind: type) -> Tree:
    if kind.__module__ == "builtins" and getattr(builtins, kind.__name__, None) is kind:
        return {"t": "type", "v": ["builtins", kind.__name__]}
    if find_error(kind.__module__, kind.__qualname__) is kind or kind.__module__ in _CLASSES:
        return {"t": "type", "v": [kind.__module__, kind.__qualname__]}
    return None


def find_error(module: Any, name: Any) -> type[BaseException] | None:
    """Return a class of exceptions of the standard library, or of a package, that is loaded here."""
    if not isinstance(module, str) or not isinstance(name, str) or module.split(".")[0] in _OWN_MODULES:
        return None
    found = _loaded(module, name)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


_CLASSES = {"datetime", "decimal", "fractions", "collections", "uuid"}


def _class(parts: Any, inner: Inner) -> type:
    module, name = parts
    found = find_error(module, name)
    if found is None and (module == "builtins" or module in _CLASSES):
        found = _loaded(module, name)
    if not isinstance(found, type) or name == "type":
        raise Malformed("there is no such class")
    return found


def _timezone(zone: Any) -> Tree:
    if zone is None:
        return None
    if type(zone).__name__ == "ZoneInfo":
        return str(zone.key)
    offset = zone.utcoffset(None)
    if offset is None:
        raise Malformed("a timezone must have an offset or a name")
    return [offset.days, offset.seconds, zone.tzname(None)]


def _zone(parts: Any) -> Any:
    if parts is None:
        return None
    if isinstance(parts, str):
        import zoneinfo

        return zoneinfo.ZoneInfo(parts)
    import datetime

    days, seconds, name = parts
    offset = datetime.timedelta(days, seconds)
    zone = datetime.timezone(offset)
    return (
        datetime.UTC
        if not offset and name == "UTC"
        else zone
        if zone.tzname(None) == name
        else datetime.timezone(offset, name)
    )


def _moment(value: Any, inner: Inner) -> Tree:
    day = [value.year, value.month, value.day] if hasattr(value, "year") else []
    time = [value.hour, value.minute, value.second, value.microsecond, value.fold]
    return [*day, *time, _timezone(value.tzinfo)]


def _of_moment(name: str) -> Callable[[Any, Inner], Any]:
    def make(parts: Any, inner: Inner) -> Any:
        import datetime

        *numbers, fold, zone = parts
        return getattr(datetime, name)(*numbers, tzinfo=_zone(zone), fold=fold)

    return make


def _pairs(value: Any, inner: Inner) -> list[Tree]:
    return [[inner(k), inner(v)] for k, v in value.items()]


def _items(parts: Any, inner: Inner) -> Iterator[tuple[Any, Any]]:
    return ((inner(k), inner(v)) for k, v in parts)


def _default(value: Any, inner: Inner) -> Tree:
    factory = value.default_factory
    known = factory if factory in (int, float, str, list, dict, set, tuple, bool) else None
    return [None if known is None else known.__name__, _pairs(value, inner)]


def _of_default(parts: Any, inner: Inner) -> Any:
    import collections

    name, pairs = parts
    factory = {k.__name__: k for k in (int, float, str, list, dict, set, tuple, bool)}.get(name)
    return collections.defaultdict(factory, _items(pairs, inner))


def _array(value: Any, inner: Inner) -> Tree:
    if value.dtype.kind not in _DTYPES:
        if value.dtype.kind != "O":
            raise TypeError(f"an array of {value.dtype} does not cross")
        return ["O", list(value.shape), [inner(v) for v in value.ravel().tolist()]]
    return [value.dtype.str, list(value.shape), value.tobytes().hex()]


def _of_array(parts: Any, inner: Inner) -> Any:
    import numpy

    dtype, shape, content = parts
    if dtype == "O":
        out = numpy.empty(len(content), dtype=object)
        for i, v in enumerate(content):
            out[i] = inner(v)
        return out.reshape(shape)
    if not isinstance(dtype, str) or len(dtype) > 16 or numpy.dtype(dtype).kind not in _DTYPES:
        raise Malformed("an array must be of numbers, times or texts")
    return numpy.frombuffer(bytes.fromhex(content), dtype=dtype).reshape(shape).copy()


def _of_scalar(parts: Any, inner: Inner) -> Any:
    return _of_array(parts, inner)[()]


def _column(series: Any, inner: Inner) -> Tree:
    dtype = str(series.dtype)
    values = series.to_numpy()
    if values.dtype.kind in _DTYPES and not hasattr(series.dtype, "tz"):
        return [dtype, _array(values, inner)]
    return [dtype, ["O", [len(values)], [inner(v) for v in series.tolist()]]]


def _of_column(parts: Any, inner: Inner) -> Any:
    pandas: Any = sys.modules["pandas"]

    dtype, array = parts
    return pandas.Series(_of_array(array, inner), dtype="object" if dtype == "object" else str(dtype)[:40])


def _frame(value: Any, inner: Inner) -> Tree:
    columns = [_column(value.iloc[:, i], inner) for i in range(value.shape[1])]
    return [
        [inner(c) for c in value.columns.tolist()],
        inner(value.columns.name),
        _index(value.index, inner),
        columns,
    ]


def _series(value: Any, inner: Inner) -> Tree:
    return [_column(value, inner), _index(value.index, inner), inner(value.name)]


def _index(value: Any, inner: Inner) -> Tree:
    if type(value).__name__ == "RangeIndex":
        return ["range", inner(range(value.start, value.stop, value.step)), inner(value.name)]
    return [str(value.dtype), [inner(v) for v in value.tolist()], inner(value.name)]


def _of_index(parts: Any, inner: Inner) -> Any:
    pandas: Any = sys.modules["pandas"]

    kind, content, name = parts
    if kind == "range":
        return pandas.RangeIndex(inner(content), name=inner(name))
    items = [inner(v) for v in content]
    if items and all(isinstance(i, tuple) for i in items):
        return pandas.MultiIndex.from_tuples(items)
    return pandas.Index(items, dtype=str(kind)[:40], name=inner(name))


def _of_frame(parts: Any, inner: Inner) -> Any:
    pandas: Any = sys.modules["pandas"]

    names, name, index, columns = parts
    made = {i: _of_column(c, inner) for i, c in enumerate(columns)}
    frame = pandas.DataFrame(made)
    frame.index = _of_index(index, inner)
    frame.columns = pandas.Index([inner(n) for n in names], name=inner(name))
    return frame


def _of_series(parts: Any, inner: Inner) -> Any:
    column, index, name = parts
    series = _of_column(column, inner)
    series.index, series.name = _of_index(index, inner), inner(name)
    return series


def _text(value: Any, inner: Inner) -> Tree:
    return str(value)


def _of_loaded(module: str, name: str) -> Callable[[Any, Inner], Any]:
    def make(parts: Any, inner: Inner) -> Any:
        __import__(module)
        return getattr(sys.modules[module], name)(*(inner(p) for p in parts))

    return make


_SCALARS = (
    "bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64", "complex64", "complex128", "str_", "bytes_", "datetime64", "timedelta64",
    "longlong", "ulonglong",
)  # fmt: skip
_ENCODERS: dict[str, dict[str, Callable[[Any, Inner], Any]]] = {
    "datetime": {
        "date": lambda v, f: [v.year, v.month, v.day],
        "datetime": _moment,
        "time": _moment,
        "timedelta": lambda v, f: [v.days, v.seconds, v.microseconds],
        "timezone": lambda v, f: [_timezone(v)],
    },
    "re": {"Pattern": lambda v, f: [f(v.pattern), v.flags]},
    "uuid": {"UUID": lambda v, f: [v.hex]},
    "pathlib": {name: lambda v, f: [str(v)] for name in _PATHS},
    "collections": {
        "OrderedDict": _pairs,
        "Counter": _pairs,
        "defaultdict": _default,
    },
    "array": {"array": lambda v, f: [v.typecode, [f(x) for x in v]]},
    "builtins": {
        "dict_keys": lambda v, f: [f(x) for x in v],
        "dict_values": lambda v, f: [f(x) for x in v],
        "dict_items": lambda v, f: [[f(k), f(x)] for k, x in v],
        "memoryview": lambda v, f: v.tobytes().hex(),
        "ellipsis": lambda v, f: [],
        "NotImplementedType": lambda v, f: [],
        "slice": lambda v, f: [f(v.start), f(v.stop), f(v.step)],
    },
    "numpy": {
        "ndarray": _array,
        **{n: lambda v, f: _array(__import__("numpy").asarray(v), f) for n in _SCALARS},
    },
    "pandas.core.frame": {"DataFrame": _frame},
    "pandas.core.series": {"Series": _series},
    "pandas": {"DataFrame": _frame, "Series": _series},
    "pandas._libs.tslibs.timestamps": {"Timestamp": lambda v, f: [str(v.isoformat())]},
}
_DECODERS: dict[str, Callable[[Any, Inner], Any]] = {
    "nothing": lambda v, f: None,
    "type": _class,
    "datetime.date": _of_loaded("datetime", "date"),
    "datetime.datetime": _of_moment("datetime"),
    "datetime.time": _of_moment("time"),
    "datetime.timedelta": _of_loaded("datetime", "timedelta"),
    "datetime.timezone": lambda v, f: _zone(v[0]),
    "re.Pattern": _of_loaded("re", "compile"),
    "uuid.UUID": _of_loaded("uuid", "UUID"),
    **{f"pathlib.{name}": _of_loaded("pathlib", name) for name in _PATHS},
    "collections.OrderedDict": lambda v, f: __import__("collections").OrderedDict(_items(v, f)),
    "collections.Counter": lambda v, f: __import__("collections").Counter(dict(_items(v, f))),
    "collections.defaultdict": _of_default,
    "array.array": lambda v, f: __import__("array").array(v[0], [f(x) for x in v[1]]),
    "builtins.dict_keys": lambda v, f: {f(k): None for k in v}.keys(),
    "builtins.dict_values": lambda v, f: dict(enumerate(f(x) for x in v)).values(),
    "builtins.dict_items": lambda v, f: dict(_items(v, f)).items(),
    "builtins.memoryview": lambda v, f: memoryview(bytes.fromhex(v)),
    "builtins.ellipsis": lambda v, f: ...,
    "builtins.NotImplementedType": lambda v, f: NotImplemented,
    "builtins.slice": lambda v, f: slice(*(f(x) for x in v)),
    "numpy.ndarray": _of_array,
    **{f"numpy.{n}": _of_scalar for n in _SCALARS},
    **{f"pandas{where}.DataFrame": _of_frame for where in ("", ".core.frame")},
    **{f"pandas{where}.Series": _of_series for where in ("", ".core.series")},
    "pandas._libs.tslibs.timestamps.Timestamp": _of_loaded("pandas", "Timestamp"),
}
