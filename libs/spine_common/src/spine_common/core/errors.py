"""What can go wrong, in one tree: a code, what happened, what would be right, and its kind.

The API, the command line and the dead-letter service derive their answers from this file alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar


class Kind(StrEnum):
    """What a failure means for a second try."""

    TRANSIENT = "transient"
    """The world was in the way; the same command may succeed later."""
    PERMANENT = "permanent"
    """The command can't succeed as it stands; a person must look."""
    POISON = "poison"
    """The message itself can't be understood; it is kept whole and never retried by itself."""


class SpineError(Exception):
    """A failure the product has a word for."""

    code: ClassVar[str] = "INTERNAL"
    kind: ClassVar[Kind] = Kind.PERMANENT

    def __init__(self, message: str, *, remedy: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details: Mapping[str, Any] = details

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class InvalidParams(SpineError):
    """A parameter has a value the pipeline can't take."""

    code = "INVALID_PARAMS"


class ParamsTooLarge(InvalidParams):
    """More parameters than a message carries."""

    code = "PARAMS_TOO_LARGE"


class MissingRequired(InvalidParams):
    """A required parameter was not given."""

    code = "MISSING_REQUIRED"


class InvalidTier(InvalidParams):
    """A tier other than the three FINRA publishes."""

    code = "INVALID_TIER"


class InvalidDate(InvalidParams):
    """A date that is none, or not the weekday it has to be."""

    code = "INVALID_DATE"


class InvalidSymbol(InvalidParams):
    """A symbol that no security can have."""

    code = "INVALID_SYMBOL"


class NotFound(SpineError):
    """Something named does not exist."""

    code = "NOT_FOUND"


class PipelineNotFound(NotFound):
    """No pipeline of that name or alias."""

    code = "PIPELINE_NOT_FOUND"


class ExecutionNotFound(NotFound):
    """No execution of that id."""

    code = "EXECUTION_NOT_FOUND"


class DomainNotFound(NotFound):
    """No domain of that name."""

    code = "DOMAIN_NOT_FOUND"


class CalcNotFound(NotFound):
    """No calculation of that name or version."""

    code = "CALC_NOT_FOUND"


class CaptureNotFound(NotFound):
    """No capture of that id, or none yet for that partition."""

    code = "CAPTURE_NOT_FOUND"


class DeadLetterNotFound(NotFound):
    """No dead letter of that id."""

    code = "DEAD_LETTER_NOT_FOUND"


class NotRetryable(SpineError):
    """A dead letter that was settled already, or that could not be sent again as it is."""

    code = "NOT_RETRYABLE"


class SourceError(SpineError):
    """A publication that can't be captured as it is."""

    code = "SOURCE_INVALID"


class SourceNotFound(SourceError):
    """The file is not there, or is no regular file."""

    code = "SOURCE_NOT_FOUND"


class SourceForbidden(SourceError):
    """The path leads outside the folders files may be read from."""

    code = "SOURCE_FORBIDDEN"


class SourceTooLarge(SourceError):
    """The file, or what it unpacks to, is over the cap."""

    code = "SOURCE_TOO_LARGE"


class SourceEmpty(SourceError):
    """The file holds no data row."""

    code = "SOURCE_EMPTY"


class SourceFormat(SourceError):
    """The header is none of the formats known, or lacks a required column."""

    code = "SOURCE_FORMAT"


class PartitionContradicted(SourceError):
    """The content belongs to another partition than the one asked for."""

    code = "PARTITION_CONTRADICTED"


class PartitionAmbiguous(SourceError):
    """The content does not say which partition it belongs to."""

    code = "PARTITION_AMBIGUOUS"


class DependencyMissing(SpineError):
    """An earlier stage has not produced what this one reads."""

    code = "DEPENDENCY_MISSING"


class DataNotReady(SpineError):
    """The numbers asked for have not been computed yet."""

    code = "DATA_NOT_READY"


class NotCancellable(SpineError):
    """The execution has ended already."""

    code = "NOT_CANCELLABLE"


class PipelineFailed(SpineError):
    """A plain pipeline reported an error."""

    code = "PIPELINE_FAILED"


class OutOfRange(SpineError):
    """A number that can't be kept exactly."""

    code = "OUT_OF_RANGE"


class InvariantViolated(SpineError):
    """A promise about the numbers does not hold; nothing was written."""

    code = "INVARIANT_VIOLATED"


class Conflict(SpineError):
    """Two transactions met; the whole step can be run again."""

    code = "CONFLICT"
    kind = Kind.TRANSIENT


class FenceLost(SpineError):
    """Another worker has taken the execution over; this one's work must not be written."""

    code = "FENCE_LOST"
    kind = Kind.TRANSIENT


class AlreadyDone(SpineError):
    """Another execution finished the same work first."""

    code = "ALREADY_DONE"
    kind = Kind.TRANSIENT


class Unavailable(SpineError):
    """A server we depend on does not answer."""

    code = "UNAVAILABLE"
    kind = Kind.TRANSIENT


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or takes no writes."""

    code = "DATABASE_UNAVAILABLE"


class BusUnavailable(Unavailable):
    """The broker does not answer, or does not confirm."""

    code = "BUS_UNAVAILABLE"


class QueueFull(BusUnavailable):
    """The queue a message is for takes no more for now."""

    code = "QUEUE_FULL"


class Unroutable(Unavailable):
    """The broker has no queue for the message: the topology is missing."""

    code = "UNROUTABLE"


class StoreUnavailable(Unavailable):
    """The object store does not answer, or is full."""

    code = "STORE_UNAVAILABLE"


class DeadlineExceeded(SpineError):
    """The stage took longer than its deadline."""

    code = "DEADLINE_EXCEEDED"
    kind = Kind.TRANSIENT


class LeaseExpired(SpineError):
    """A worker stopped renewing its lease: it died, or was cut off."""

    code = "LEASE_EXPIRED"
    kind = Kind.TRANSIENT


class PoisonMessage(SpineError):
    """Bytes that are no message of ours."""

    code = "MESSAGE_UNDECODABLE"
    kind = Kind.POISON


class UnknownMessageType(PoisonMessage):
    """A message type, or a version of one, that this release does not know."""

    code = "MESSAGE_TYPE_UNKNOWN"


class OversizedMessage(PoisonMessage):
    """A message over the size limit: bulk travels by reference."""

    code = "MESSAGE_TOO_LARGE"


# Failures that are no SpineError. The first match wins; what is not listed is a bug of ours,
# and a bug does not go away by trying again.
_FOREIGN: tuple[tuple[type[BaseException], Kind], ...] = (
    (TimeoutError, Kind.TRANSIENT),
    (OSError, Kind.TRANSIENT),
    (MemoryError, Kind.TRANSIENT),
    (Exception, Kind.PERMANENT),
)


def classify(error: BaseException) -> Kind:
    """Say whether a second try makes sense: the one table for every retry decision."""
    if isinstance(error, SpineError):
        return error.kind
    return next((kind for family, kind in _FOREIGN if isinstance(error, family)), Kind.PERMANENT)


def code_of(error: BaseException) -> str:
    """Name a failure for the ledger: our code, or the foreign exception's class name."""
    return error.code if isinstance(error, SpineError) else type(error).__name__
