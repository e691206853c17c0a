"""Which domains, pipelines and calcs there are: the one place where they are discovered."""

import difflib
import importlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points

from spine_common.core.calc import Calc
from spine_common.core.domain import Domain
from spine_common.core.errors import CalcNotFound, DomainNotFound, PipelineNotFound
from spine_common.core.pipeline import Pipeline

BUILT_IN = (
    "spine_common.domains.finra.otc_transparency:otc_transparency",
    "spine_common.domains.example:example",
)
ENTRY_POINT_GROUP = "spine.domains"


class Registry:
    """Domains by name, pipelines by name or alias."""

    def __init__(self, domains: Iterable[Domain]) -> None:
        self.domains: dict[str, Domain] = {}
        self._pipelines: dict[str, Pipeline] = {}
        self._aliases: dict[str, str] = {}
        self._domain_of: dict[str, Domain] = {}
        for domain in domains:
            self._add_domain(domain)
        for pipeline in self._pipelines.values():
            self._check_steps(pipeline)

    def _add_domain(self, domain: Domain) -> None:
        # Captures are named by the last part: two domains that share it would share ids.
        last = domain.name.rsplit(".", 1)[-1]
        for other in self.domains:
            if other.rsplit(".", 1)[-1] == last:
                raise ValueError(f"The domains {other} and {domain.name} end alike.")
        self.domains[domain.name] = domain
        for pipeline in domain.pipelines:
            self._add(domain, pipeline)

    def _add(self, domain: Domain, pipeline: Pipeline) -> None:
        for name in (pipeline.name, *pipeline.aliases):
            if name in self._pipelines or name in self._aliases:
                raise ValueError(f"Two pipelines are called {name!r}.")
            self._aliases[name] = pipeline.name
        self._pipelines[pipeline.name] = pipeline
        self._domain_of[pipeline.name] = domain

    def _check_steps(self, workflow: Pipeline) -> None:
        unknown = [step for step in workflow.steps if step not in self._pipelines]
        if unknown or len(set(workflow.steps)) < len(workflow.steps):
            raise ValueError(
                f"{workflow.name} has steps that are no pipelines, or one twice:"
                f" {', '.join(unknown or workflow.steps)}."
            )

    def pipelines(self, prefix: str = "") -> list[Pipeline]:
        """Return the pipelines whose canonical name starts with ``prefix``, by name."""
        return [
            self._pipelines[name] for name in sorted(self._pipelines) if name.startswith(prefix)
        ]

    def pipeline(self, name: str) -> Pipeline:
        """Return a pipeline by name or alias; ``PipelineNotFound`` suggests close ones."""
        if name in self._aliases:
            return self._pipelines[self._aliases[name]]
        close = difflib.get_close_matches(name, self._aliases, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else "See `spine pipeline list`."
        raise PipelineNotFound(f"There is no pipeline {name!r}.", remedy=hint)

    def domain(self, name: str) -> Domain:
        """Return a domain by name; ``DomainNotFound`` lists the ones there are."""
        if name in self.domains:
            return self.domains[name]
        raise DomainNotFound(
            f"There is no domain {name!r}.", remedy=f"Domains: {', '.join(self.domains)}."
        )

    def domain_of(self, pipeline: str) -> Domain:
        """Return the domain a pipeline belongs to, by the pipeline's canonical name."""
        return self._domain_of[self.pipeline(pipeline).name]

    def calc(self, name: str) -> tuple[Domain, Calc]:
        """Find a calc (``name`` or ``name_vN``) in any domain; ``CalcNotFound`` otherwise."""
        for domain in self.domains.values():
            try:
                return domain, domain.catalog.get(name)
            except CalcNotFound:
                continue
        known = [c.versioned_name for d in self.domains.values() for c in d.catalog.current()]
        raise CalcNotFound(f"There is no calc {name!r}.", remedy=f"Calcs: {', '.join(known)}.")


@cache
def discover() -> Registry:
    """Load the built-in domains, then those that installed packages offer as entry points."""
    built_in = (_load(reference) for reference in BUILT_IN)
    installed = (point.load() for point in entry_points(group=ENTRY_POINT_GROUP))
    return Registry([*built_in, *installed])


def _load(reference: str) -> Domain:
    module, _, attribute = reference.partition(":")
    domain = getattr(importlib.import_module(module), attribute)
    if not isinstance(domain, Domain):
        raise TypeError(f"{reference} is no Domain.")
    return domain


def list_pipelines(prefix: str = "") -> list[str]:
    """Return the canonical names of the pipelines there are."""
    return [pipeline.name for pipeline in discover().pipelines(prefix)]


def get_pipeline(name: str) -> Pipeline:
    """Return a pipeline by name or alias."""
    return discover().pipeline(name)
