"""That the example greets."""

from spine_common.domains.example import example


def test_hello_greets_whom_it_is_told_to():
    (hello,) = example.pipelines
    result = hello.run(hello.read_params({"name": "Alice"}))
    assert result.status == "completed"
    assert result.metrics == {"greeting": "Hello, Alice!"}
    assert result.started_at <= result.completed_at


def test_hello_greets_the_world_unasked():
    (hello,) = example.pipelines
    assert hello.run(hello.read_params({})).metrics["greeting"] == "Hello, World!"
