"""The scheduler as a service: it leads, one turn at a time, and does the sweepers' chores."""

from spine_common.bootstrap.service import Service
from spine_common.bootstrap.worker import serve
from spine_scheduler.leader import sweep_for_good

SERVICE = Service("scheduler", beside=sweep_for_good)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    serve(SERVICE)


if __name__ == "__main__":
    main()
