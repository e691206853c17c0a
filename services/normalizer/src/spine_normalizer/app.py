"""The normalizer as a service: its stage on the three lanes, with health, metrics and a relay."""

from spine_common.bootstrap.service import Service
from spine_common.bootstrap.worker import serve
from spine_common.core.pipeline import Stage
from spine_normalizer.stage import normalize

SERVICE = Service("normalizer", {Stage.NORMALIZE: normalize})


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    serve(SERVICE)


if __name__ == "__main__":
    main()
