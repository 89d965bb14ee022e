"""
What the files of an extension folder declare.

A rule kind, a channel or a report is one file in its folder, and nothing lists it: a file whose name begins with ``_``
is none. Each file declares exactly one class that can be chosen, so a file that declares none, or two, is a mistake of
ours and is said when the folder is read.
"""

import importlib
import pkgutil
from types import ModuleType
from typing import Any, get_args

from pydantic import BaseModel


def declared_in(package: ModuleType) -> list[type[BaseModel]]:
    """
    Return the settings class that each file of *package* declares, in the order of the files' names.

    Such a class is made in that file, and is chosen by the only value of its ``kind: Literal[...]``, or, where there
    is no such field, by its ``name``.

    Raises:
        TypeError: A file declares none, or several, or two files declare the same name.
    """
    declared = []
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if found.name.rpartition(".")[2].startswith("_"):
            continue
        module = importlib.import_module(found.name)
        classes = [
            each
            for each in vars(module).values()
            if isinstance(each, type)
            and issubclass(each, BaseModel)
            and each.__module__ == module.__name__
            and _chosen_by(each)
        ]
        if len(classes) != 1:
            message = f"{found.name} must declare one class that can be chosen, not {len(classes)}"
            raise TypeError(message)
        declared.extend(classes)
    names = [kind_of(each) for each in declared]
    if len(set(names)) != len(names):
        message = f"two files of {package.__name__} declare the same name: {sorted(names)}"
        raise TypeError(message)
    return declared


def kind_of(declared: type[BaseModel]) -> str:
    """
    Return the word by which *declared* is chosen.

    Raises:
        TypeError: It has none.
    """
    word = _chosen_by(declared)
    if word is None:
        message = f"{declared.__name__} has no `kind` with one literal value"
        raise TypeError(message)
    return word


def example_of(declared: type[BaseModel]) -> dict[str, Any]:
    """
    Return the example of its settings that *declared* carries.

    Raises:
        TypeError: It carries none.
    """
    extra = declared.model_config.get("json_schema_extra")
    examples = extra.get("examples") if isinstance(extra, dict) else None
    if not isinstance(examples, list) or not examples or not isinstance(examples[0], dict):
        message = f"{declared.__name__} has no example of its settings"
        raise TypeError(message)
    return dict(examples[0])


def _chosen_by(declared: type[BaseModel]) -> str | None:
    field = declared.model_fields.get("kind")
    if field is None:
        name = declared.__dict__.get("name")
        return name if isinstance(name, str) else None
    values = get_args(field.annotation)
    return values[0] if len(values) == 1 and isinstance(values[0], str) else None
