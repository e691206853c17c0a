"""The routes, one file a noun: a new noun is a new file and its router here."""

from spine_api.routes import calcs, executions, pipelines

ROUTERS = (executions.router, pipelines.router, calcs.router)
