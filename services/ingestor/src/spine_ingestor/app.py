"""The ingestor as a service: its stage on the three lanes, with health, metrics and a relay."""

from spine_common.bootstrap.service import Service
from spine_common.bootstrap.worker import serve
from spine_common.core.pipeline import Stage
from spine_ingestor.stage import ingest

SERVICE = Service("ingestor", {Stage.INGEST: ingest})


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    serve(SERVICE)


if __name__ == "__main__":
    main()
