"""The schema of a study: its defaults filled in, and what breaks it said in a sentence with the remedy."""

import copy
import math
import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match

from medpeft.base.errors import UserError
from medpeft.base.places import PROJECT

SCHEMA = PROJECT / "schemas" / "study.schema.yaml"
LARGEST = 2**63 - 1  # of what torch and numpy take for a whole number
# A number as people and most languages write it, which YAML 1.1 takes for text: no point, or no sign of the exponent.
_SCIENTIFIC = re.compile(r"([+-]?\d+)(?:\.(\d*))?[eE]([+-]?)(\d+)")
_SPELT = {True: "yes, on and true", False: "no, off and false"}


def fill(settings: dict) -> None:
    """Set the schema's defaults in `settings`, in place.

    Raises:
        UserError: A key or value breaks the schema; the message names the key.
    """
    breach = best_match(_Validator(_schema()).iter_errors(settings))
    if breach:
        place = ".".join(map(str, breach.absolute_path)) or "the top level"
        raise UserError(f"the study's configuration is wrong at {place}: {_sentence(breach)}; see {SCHEMA.name}")


@cache
def _schema() -> dict[str, Any]:
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def _sentence(breach: ValidationError) -> str:
    """Return what is wrong and, where it can be told, what to do."""
    if breach.validator == "additionalProperties":
        return breach.message + _allowed_keys(breach)
    if breach.validator == "type":
        return breach.message + _of_type(breach)
    if breach.validator == "pattern" and (meant := _comment(breach)):
        given = repr(breach.instance)  # an address with a space in it is none that could be redacted
        return f"{'this address' if '://' in given else given} cannot be, for {meant}"
    return breach.message


def _comment(breach: ValidationError) -> str:
    """Return what the schema says in words of the values that it takes."""
    return breach.schema.get("$comment", "") if isinstance(breach.schema, dict) else ""


def _allowed_keys(breach: ValidationError) -> str:
    """Return which keys there are, after the one that may have been meant."""
    schema: Any = breach.schema
    known = list(schema["properties"])
    given: Any = breach.instance
    unknown = next(key for key in given if key not in known)
    close = get_close_matches(str(unknown), known, n=1)
    return (f": did you mean {close[0]!r}?" if close else "") + f" (allowed: {', '.join(known)})"


def _of_type(breach: ValidationError) -> str:
    """Return how a value is written that YAML takes for another type than was meant."""
    wanted: Any = breach.validator_value
    given: Any = breach.instance
    wanted = {wanted} if isinstance(wanted, str) else set(wanted)
    if "string" in wanted and not isinstance(given, dict | list):
        return _as_text(given, is_name=_comment(breach).startswith("a name"))
    return _as_number(breach, whole="number" not in wanted) if wanted & {"number", "integer"} else ""


def _as_text(given: Any, is_name: bool) -> str:
    if is_name:
        return ": write a name" if given is None else ", as YAML reads it: begin the name with a letter"
    if given is None:
        return ": write a text, and the word null in quotes"
    if isinstance(given, bool):
        return f": put it in quotes, as in '{_SPELT[given].split(',')[0]}', for YAML reads {_SPELT[given]} as {given}"
    zeros = ", or with its leading zeros" if isinstance(given, int) else ""
    return f": put it in quotes, as in '{given}'{zeros}"


def _as_number(breach: ValidationError, whole: bool) -> str:
    given: Any = breach.instance
    if isinstance(given, str):
        return f": write {_number(given, whole)}"
    if isinstance(given, float):
        return f": write a whole number, such as {round(given)}" if math.isfinite(given) else ": write a finite number"
    limit = breach.schema.get("maximum", LARGEST) if isinstance(breach.schema, dict) else LARGEST
    return f": write a number up to {limit}" if isinstance(given, int) and abs(given) > LARGEST else ""


def _number(text: str, whole: bool) -> str:
    """Return how YAML 1.1 wants the number in `text` written."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (whole and not value.is_integer()):
        return "a whole number, such as 10" if whole else "a number, such as 0.1"
    if whole:
        return f"{int(value)}, without quotes"
    if found := _SCIENTIFIC.fullmatch(text.strip()):
        digits, decimals, sign, exponent = found.groups()
        return f"{digits}.{decimals or 0}e{sign or '+'}{exponent}, for YAML takes {text} for text"
    return f"{text.strip()}, without quotes"


def _fill_defaults(
    validator: Any, properties: dict[str, Any], instance: Any, schema: dict[str, Any]
) -> Iterator[ValidationError]:
    """Set the defaults of `properties` before they are validated, so that nested defaults are filled too.

    Keys take the order of the schema: to Snakemake, settings in another order are other settings.
    """
    if isinstance(instance, dict):
        given = dict(instance)
        instance.clear()
        for name, part in properties.items():
            if name in given or "default" in part:
                instance[name] = given[name] if name in given else copy.deepcopy(part["default"])
        instance.update(given)
    yield from Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)


def _pattern(validator: Any, pattern: str, instance: Any, schema: dict[str, Any]) -> Iterator[ValidationError]:
    r"""Refuse texts without `pattern`, whose `$` is the end of the text: Python's also stands before a last \n."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _is_integer(_: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST


def _is_number(checker: Any, value: Any) -> bool:
    return _is_integer(checker, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"properties": _fill_defaults, "pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number}),
)
