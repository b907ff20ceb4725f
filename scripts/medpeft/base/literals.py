"""What a module says of itself in literals, read from its syntax without importing it."""

import ast
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from typing import Any

from medpeft.base.errors import UserError


def decorations(file: Path, decorator: Callable, but: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Yield the arguments of each use of `decorator` in `file`, by the names of its parameters.

    Args:
        file: A Python file.
        decorator: The function that is called behind an `@`, under its own name.
        but: Parameters that need not be literals; they are left out.

    Raises:
        UserError: An argument is neither a literal nor a constant of the file that is one, or there is no such
            parameter.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and _called(call) == decorator.__name__:
                    yield _arguments(file, tree, call, decorator, but)


def assigned(file: Path, name: str, kind: Callable, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the arguments of the call of `kind` whose result `file` assigns to `name`, by the names of its parameters.

    Raises:
        UserError: There is no such assignment, an argument is neither a literal nor a constant of the file that is one,
            or there is no such parameter.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    value = _constants(tree).get(name)
    if isinstance(value, ast.Call) and _called(value) == kind.__name__:
        return _arguments(file, tree, value, kind, but)
    raise UserError(f"{file} does not say {name} = {kind.__name__}(...): add it, for it is read without an import")


def _called(call: ast.Call) -> str:
    """Return the last name of the function that `call` calls: `method` of `registry.method(...)`."""
    return ast.unparse(call.func).rpartition(".")[2]


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Return what a module assigns to names at its top level."""
    assignments = (node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value)
    return {
        target.id: node.value
        for node in assignments
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and node.value
    }


def _arguments(
    file: Path, tree: ast.Module, call: ast.Call, function: Callable, but: tuple[str, ...]
) -> dict[str, Any]:
    named = {keyword.arg or "**": keyword.value for keyword in call.keywords}
    try:
        bound = signature(function).bind(*call.args, **named)
    except TypeError as error:
        raise UserError(f"{file}, line {call.lineno}: {function.__name__} {error}") from error
    constants = _constants(tree)
    named_apart = {name: constants.get(ast.unparse(node), node) for name, node in bound.arguments.items()}
    return {name: _value(file, name, node) for name, node in named_apart.items() if name not in but}


def _value(file: Path, name: str, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError) as error:  # the latter of a list in a set
        raise UserError(
            f"{file}, line {node.lineno}: {name} is {ast.unparse(node)}: write it as a literal, for it is read without "
            "an import"
        ) from error
