import asyncio
import re

import pytest

from spine_api.edge import trace_id_of
from spine_api.errors import MAX_BODY_BYTES
from spine_common.bootstrap.http import serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", ["/health", "/metrics", "/api/v1/pipelines", "/nothing", "/docs"])
async def test_no_answer_is_kept_or_guessed_at(api, path):
    answer = await api.get(path)

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_trace_of_the_caller_goes_on(api):
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}

    assert (await api.get("/nothing", headers=headers)).json()["error"]["trace_id"] == TRACE


async def test_without_a_trace_each_request_has_its_own(api):
    ids = {(await api.get("/nothing")).json()["error"]["trace_id"] for _ in range(3)}

    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", trace_id) for trace_id in ids)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        TRACE,
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01-more",
    ],
)
def test_a_trace_that_is_none_is_not_taken_over(traceparent):
    assert trace_id_of(traceparent) not in {TRACE, TRACE.upper(), "0" * 32}


def test_a_trace_of_a_later_version_is_taken_over():
    assert trace_id_of(f"01-{TRACE}-00f067aa0ba902b7-01-more") == TRACE


def order_of(size: int) -> bytes:
    return b'{"pipeline": "nothing"}'.ljust(size)


async def test_a_body_at_the_cap_is_read(api):
    answer = await api.post("/executions", content=order_of(MAX_BODY_BYTES), headers=JSON)

    assert answer.json()["error"]["code"] == "PIPELINE_NOT_FOUND"


async def test_a_body_over_the_cap_is_refused_by_its_declared_length(api):
    answer = await api.post("/executions", content=order_of(MAX_BODY_BYTES + 1), headers=JSON)

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "BODY_TOO_LARGE"
    assert answer.json()["error"]["details"]["limit_bytes"] == MAX_BODY_BYTES


async def test_a_body_that_declares_no_length_is_refused_once_it_is_over_the_cap(app):
    chunk = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    async with asyncio.timeout(10), serving(app, "127.0.0.1", 0, grace=1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /api/v1/executions HTTP/1.1\r\nHost: api.test\r\n")
        writer.write(b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(chunk * (MAX_BODY_BYTES // 0x1000) + b"1\r\n \r\n")  # and no end
        status = await reader.readline()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert status.split()[1] == b"413"
    assert b"BODY_TOO_LARGE" in answer


@pytest.mark.parametrize("declared", ["9" * 30, "9" * 5000])
async def test_a_declared_length_of_any_size_is_refused(api, declared):
    headers = {**JSON, "Content-Length": declared}
    answer = await api.post("/executions", content=b"{}", headers=headers)

    assert answer.status_code == 413
