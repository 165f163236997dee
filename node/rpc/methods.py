"""The table of the RPC's methods: finding one by name, and fitting arguments to its parameters.

A method is a Python function; its signature says what may be given, by place or by name, and its
annotations say of which type. It knows no HTTP (`web_rpc`). Read beside it: Core's rpc/server.cpp
(CRPCTable::execute, transformNamedArguments) and rpc/util.cpp (RPCHelpMan).
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from inspect import Parameter, Signature, signature
from types import NoneType
from typing import Any, get_args

from node.rpc import chain, mempool, mining, node, package
from node.rpc.values import Amount, Code, Hash, RpcError, parse_amount, parse_hash
from node.rpc.views import Json
from node.runtime import Runtime

Arguments = Sequence[Any] | Mapping[str, Any]
UNLOCKED = ("generateblock", "generatetoaddress", "generatetodescriptor", "getblocktemplate")
"""They hold the runtime's lock only now and then."""
JSON_NAMES = {
    str: "string",
    bool: "bool",
    int: "number",
    Decimal: "number",
    list: "array",
    dict: "object",
    NoneType: "null",
}


class Method:
    """One method, as it is called from outside."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self._function = function
        _runtime, *parameters = signature(function, eval_str=True).parameters.values()
        self._signature = Signature(parameters)

    @property
    def usage(self) -> str:
        """The name and the parameters, those that may be left out in brackets."""
        parameters = self._signature.parameters.values()
        needed = [p.name for p in parameters if p.default is Parameter.empty]
        optional = [p.name for p in parameters if p.default is not Parameter.empty]
        words = [self.name, *needed]
        return " ".join([*words, "(", *optional, ")"] if optional else words)

    @property
    def help(self) -> str:
        """The usage, and what the method does."""
        return f"{self.usage}\n\n{self._function.__doc__}"

    def call(self, runtime: Runtime, arguments: Arguments) -> Any:
        """The method's result; null is the same as an argument left out. Raises RpcError."""
        places, names = self._places_and_names(arguments)
        try:
            bound = self._signature.bind(*places, **names)
        except TypeError:
            raise RpcError(Code.MISC, self.help) from None
        given = {
            name: _convert(name, value, self._signature.parameters[name])
            for name, value in bound.arguments.items()
            if value is not None or self._signature.parameters[name].default is Parameter.empty
        }
        if self.name in UNLOCKED:
            return self._function(runtime, **given)
        with runtime.lock:
            return self._function(runtime, **given)

    def _places_and_names(self, arguments: Arguments) -> tuple[Sequence[Any], dict[str, Any]]:
        """Arguments by place, and by name; among the latter `args` may hold the former."""
        if not isinstance(arguments, Mapping):
            return arguments, {}
        names = dict(arguments)
        places = names.pop("args", [])
        if not isinstance(places, list):
            raise RpcError(Code.PARAMETER, "Parameter args must be an array")
        for number, name in enumerate(self._signature.parameters):
            if name in names and number < len(places):
                what = "specified twice both as positional and named argument"
                raise RpcError(Code.PARAMETER, f"Parameter {name} {what}")
        for name in names:
            if name not in self._signature.parameters:
                raise RpcError(Code.PARAMETER, f"Unknown named parameter {name}")
        return places, names


def _convert(name: str, value: Any, parameter: Parameter) -> Any:
    """A JSON value as what the parameter asks for. Raises RpcError."""
    kinds = get_args(parameter.annotation) or (parameter.annotation,)
    if Amount in kinds:
        return parse_amount(value)
    if Hash in kinds:
        return parse_hash(name, _typed(name, value, str))
    if parameter.annotation == Json:
        return _typed(name, value, dict)
    if parameter.annotation == list[str]:
        return [_typed(name, each, str) for each in _typed(name, value, list)]
    return _typed(name, value, *kinds)


def _typed(name: str, value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        given, expected = JSON_NAMES[type(value)], JSON_NAMES[kinds[0]]
        what = f"{name}: JSON value of type {given} is not of expected type {expected}"
        raise RpcError(Code.TYPE, what)
    return value


def help(runtime: Runtime, command: str = "") -> str:
    """All methods, or what one of them does."""
    if not command:
        return "\n".join(method.usage for _, method in sorted(TABLE.items()))
    return TABLE[command].help if command in TABLE else f"help: unknown command: {command}"


FUNCTIONS = (
    *chain.METHODS,
    *mempool.METHODS,
    *package.METHODS,
    *mining.METHODS,
    *node.METHODS,
    help,
)
TABLE = {function.__name__: Method(function) for function in FUNCTIONS}


def call(runtime: Runtime, name: str, arguments: Arguments) -> Any:
    """The result of a method. Raises RpcError."""
    if name not in TABLE:
        raise RpcError(Code.METHOD, "Method not found")
    return TABLE[name].call(runtime, arguments)
