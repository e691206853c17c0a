"""Whether the API says so when the process it runs in should be restarted."""

import pytest

from spine_api.app import create_app


@pytest.mark.parametrize("prefix", ["", "/v1", "/api/v1"])
@pytest.mark.parametrize("path", ["/health", "/health/live"])
async def test_a_process_that_should_not_go_on_says_so(platform, connect, prefix, path):
    alive = True
    async with connect(create_app(platform, {}, lambda: alive)) as api:
        assert (await api.get(prefix + path)).status_code == 200
        alive = False
        assert (await api.get(prefix + path)).status_code == 503
