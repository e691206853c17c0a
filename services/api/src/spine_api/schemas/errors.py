"""Failures as JSON: one shape, and which of them a route can answer."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str = Field(description="For programs: it does not change.")
    message: str = Field(description="For people: what happened and what would be right.")
    details: dict[str, Any] = Field(description="Field, value and remedy, where there are any.")
    trace_id: str = Field(description="Under which the log says more.")


class ErrorAnswer(BaseModel):
    """Every failure's answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "INVALID_TIER",
                        "message": "tier can't be 'T9'. FINRA publishes three:"
                        " NMS_TIER_1, NMS_TIER_2, OTC.",
                        "details": {
                            "field": "tier",
                            "value": "T9",
                            "remedy": "FINRA publishes three: NMS_TIER_1, NMS_TIER_2, OTC.",
                        },
                        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                    }
                }
            ]
        }
    )

    error: ErrorBody


_MEANINGS = {
    400: "A value can't be used, or is missing.",
    404: "What is named does not exist.",
    409: "It can't be done as things stand now.",
    413: "The body is over 256 KiB, or the command over 64 KiB.",
    503: "The database is away; `Retry-After` says when to come back.",
}
Responses = dict[int | str, dict[str, Any]]


def failures(*statuses: int) -> Responses:
    """Return the failures of a route for its schema; any other is ``default``."""
    documented: Responses = {
        status: {"model": ErrorAnswer, "description": _MEANINGS[status]} for status in statuses
    }
    documented["default"] = {"model": ErrorAnswer, "description": "Any other failure."}
    return documented
