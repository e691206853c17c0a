"""How a request that doesn't fit its model is explained: field, value and what would be right."""

from collections.abc import Mapping, Sequence
from typing import Any

_WHERE = frozenset({"body", "query", "path", "header", "cookie"})
_SHOWN = 80
_DEPTH = 2
_NO_OBJECT = frozenset({"model_attributes_type", "dict_type", "model_type"})

Fault = Mapping[str, Any]


def explain(faults: Sequence[Fault]) -> tuple[str, str, dict[str, Any]]:
    """Return code, message and details for what a model did not accept; the first fault leads."""
    explained = [_explained(fault) for fault in faults]
    first = explained[0]
    missing = all(fault["type"] == "missing" for fault in faults)
    code = "MISSING_REQUIRED" if missing else "INVALID_PARAMS"
    details = {**first, "faults": explained} if len(explained) > 1 else dict(first)
    return code, details.pop("message"), details


def _explained(fault: Fault) -> dict[str, Any]:
    field = _field(fault["loc"])
    right = _right(fault["msg"])
    match fault["type"]:
        case "missing":
            return {"field": field, "message": f"{field} is required."}
        case "extra_forbidden":
            said = f"There is no {field} here."
            return {"field": field, "value": fault["input"], "message": said}
        case "json_invalid":
            why = fault["ctx"]["error"]
            said = f"The body is no JSON: {why} at character {fault['loc'][-1]}."
            return {"field": "body", "message": said}
        case type_ if type_ in _NO_OBJECT and field == "body":
            right = "Send one with Content-Type: application/json."
            said = f"The body is no JSON object. {right}"
            return {"field": field, "message": said, "remedy": right}
        case _:
            said = f"{field} can't be {_cut(fault['input'])}. {right}"
            value = fault["input"]
            return {"field": field, "value": value, "message": said, "remedy": right}


def _field(location: Sequence[Any]) -> str:
    inside = [str(part) for part in location if part != "[key]"]
    if inside and inside[0] in _WHERE:
        inside = inside[1:] or inside
    # Deeper down come the names of the validator's own branches.
    return ".".join(inside[:_DEPTH])


def _right(message: str) -> str:
    """Turn the validator's phrase into a sentence about the value."""
    phrase = message.removeprefix("Value error, ").replace("Input should", "It should", 1)
    return phrase if phrase.endswith(".") else f"{phrase}."


def _cut(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return "a list or an object"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
