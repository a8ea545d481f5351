"""A real server and real clients over a link that loses, delays, doubles and reorders packets, or is gone."""

from __future__ import annotations

import pytest

from tests.e2e import lossy

pytestmark = pytest.mark.skipif(not lossy.is_possible(), reason="no network of its own, or no tunnel device, here")


@pytest.mark.parametrize(("scenario", "requests"), [("one_percent", 400), ("five_percent", 200)])
def test_every_request_over_a_bad_link_is_answered_and_right(scenario: str, requests: int) -> None:
    told = lossy.inside(scenario)
    assert told["link"]["lost"] > requests // 20, told
    assert told["inferred"] == {"right": requests}, told
    assert told["executed"] == {"right": requests // 5}, told


def test_a_link_that_is_gone_is_told_and_used_again_when_it_is_back() -> None:
    told = lossy.inside("cut")
    assert told["before"] == ["right", "right"], told
    assert set(told["meanwhile"]) <= {"Unavailable", "DeadlineExceeded"}, told
    assert told["after"] == ["right", "right"], told
    assert told["alive"] and told["link"]["lost"] > 0, told
