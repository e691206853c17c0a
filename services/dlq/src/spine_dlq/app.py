"""The dead-letter service: keeps poison messages, and decides which commands are tried again."""

from spine_common.bootstrap.service import Service
from spine_common.bootstrap.worker import serve

SERVICE = Service("dlq", dead_letters=True)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    serve(SERVICE)


if __name__ == "__main__":
    main()
