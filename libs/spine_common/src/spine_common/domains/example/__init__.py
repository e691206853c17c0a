"""The smallest domain there is: a plain pipeline to try an installation with, and to copy."""

from spine_common.core.domain import Domain
from spine_common.domains.example.pipelines import HELLO

__all__ = ["example"]

example = Domain(
    name="example",
    description="A greeting, to see that commands arrive and results come back.",
    pipelines=(HELLO,),
)
