"""The scheduler as a service: healthy and ready to lead; it orders nothing yet."""

from spine_common.bootstrap.service import Service
from spine_common.bootstrap.worker import serve

SERVICE = Service("scheduler")


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    serve(SERVICE)


if __name__ == "__main__":
    main()
