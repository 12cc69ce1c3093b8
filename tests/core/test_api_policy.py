import pytest

from ancestry_core.api_policy import (
    Patience,
    require_patience,
    require_repeatable,
    uncertain,
    usable,
)
from ancestry_core.api_responses import ApiResponse, AttemptFailed
from ancestry_core.exceptions import RequestFailed, ServiceError, UncertainSendError

WHAT = "GET http://service.test/x"


def failed(status=None, *, arrived=True, retry_after=None):
    return AttemptFailed("why", status=status, retry_after=retry_after, may_have_arrived=arrived)


def answered(status, kind="application/json"):
    return ApiResponse(status, "/x", {"Content-Type": kind}, b"{}")


@pytest.mark.parametrize("send", [True, False])
@pytest.mark.parametrize("arrived", [True, False])
def test_only_a_send_that_may_have_arrived_must_not_be_repeated(send, arrived):
    cause = failed(503, arrived=arrived)
    if send and arrived:
        with pytest.raises(UncertainSendError):
            require_repeatable(WHAT, cause, send=send, renewed=False)
    else:
        require_repeatable(WHAT, cause, send=send, renewed=False)


def test_a_rejection_after_a_renewal_is_final():
    require_repeatable(WHAT, failed(403, arrived=False), send=False, renewed=False)
    with pytest.raises(ServiceError) as caught:
        require_repeatable(WHAT, failed(403, arrived=False), send=False, renewed=True)
    assert caught.value.status == 403
    assert str(caught.value) == (
        f"{WHAT}: why, with a renewed session too; check that the account may do this"
    )


def test_patience_ends_after_the_allowed_retries():
    patience = Patience(retries=2, max_pause_seconds=10)
    require_patience(WHAT, failed(503), 2, patience)
    with pytest.raises(RequestFailed) as caught:
        require_patience(WHAT, failed(503), 3, patience)
    assert (caught.value.status, caught.value.attempts) == (503, 3)
    assert str(caught.value) == (
        f"{WHAT}: why; given up after attempt 3; "
        "try again later, or allow more attempts with ANCESTRY_HTTP_RETRIES"
    )


def test_patience_ends_at_too_long_a_pause():
    patience = Patience(retries=2, max_pause_seconds=10)
    require_patience(WHAT, failed(429, retry_after=10), 1, patience)
    with pytest.raises(RequestFailed) as caught:
        require_patience(WHAT, failed(429, retry_after=3600), 1, patience)
    assert str(caught.value) == (
        f"{WHAT}: why; given up after attempt 1; run again in 3600 s, as the service asks, "
        "or allow such a pause with ANCESTRY_MAX_PAUSE_SECONDS"
    )


@pytest.mark.parametrize("send", [True, False])
@pytest.mark.parametrize("status", [200, 201, 404, 410])
def test_json_and_absence_can_be_used(status, send):
    response = answered(status, "application/json" if status < 300 else "text/html")
    assert usable(WHAT, response, send=send) is response


@pytest.mark.parametrize("send", [True, False])
def test_a_refusal_is_final(send):
    with pytest.raises(ServiceError) as caught:
        usable(WHAT, answered(409), send=send)
    assert caught.value.status == 409
    assert str(caught.value) == (
        f"{WHAT}: 409 Conflict; the service does not accept this request, "
        "and sending it again will not help"
    )


def test_a_page_where_json_belongs_points_to_the_base_url():
    with pytest.raises(ServiceError) as caught:
        usable(WHAT, answered(200, "text/html"), send=False)
    assert str(caught.value) == (
        f"{WHAT}: 200 OK with text/html where JSON belongs; "
        "check that ANCESTRY_BASE_URL is the service's address"
    )


@pytest.mark.parametrize("status", [200, 302])
def test_a_send_that_somebody_else_answered_is_uncertain(status):
    with pytest.raises(UncertainSendError, match="where JSON belongs"):
        usable(WHAT, answered(status, "text/html"), send=True)


def test_an_uncertain_send_says_what_to_do():
    assert str(uncertain("POST /x", "no answer within 30 s")) == (
        "POST /x: no answer within 30 s, so the message may or may not have arrived and is not "
        "sent again; look into the conversation before writing once more"
    )
