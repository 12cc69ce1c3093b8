"""The pack of boto3 beside what a stub of S3 was asked over HTTP."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = pytest.mark.live

CALLS = "rpc_client_call_duration_seconds_count"
RETRIES = "rpc_client_call_retries_total"

PROGRAM = """
    import io, json, os
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config
    from botocore.exceptions import (
        ClientError, EndpointConnectionError, ParamValidationError, ReadTimeoutError,
    )

    MB = 1024 * 1024

    def client(port, attempts, **more):
        return boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-west-1",
            aws_access_key_id="key", aws_secret_access_key="secret",
            config=Config(
                retries={"mode": "standard", "total_max_attempts": attempts},
                s3={"addressing_style": "path"}, **more,
            ),
        )

    s3 = client(os.environ["PORT"], 3)
    for name in ("one", "two"):
        s3.put_object(Bucket="shelf", Key=name, Body=b"tea")
        assert s3.get_object(Bucket="shelf", Key=name)["Body"].read() == b"tea"
    s3.list_objects_v2(Bucket="shelf")
    failures = []
    for key in ("missing", "denied", "broken", "busy"):
        try:
            s3.get_object(Bucket="shelf", Key=key)
        except Exception as error:
            answered = isinstance(error, ClientError)
            failures.append("ClientError" if answered else type(error).__name__)
    # Twice told to slow down, then served.
    s3.get_object(Bucket="shelf", Key="slow")
    try:
        s3.head_object(Bucket="shelf", Key="missing")
    except ClientError as error:
        failures.append(error.response["Error"]["Code"])
    try:
        s3.get_object(Bucket="shelf")
    except ParamValidationError as error:
        failures.append(type(error).__name__)
    try:
        client(os.environ["CLOSED"], 1).list_buckets()
    except EndpointConnectionError as error:
        failures.append(type(error).__name__)
    try:
        client(os.environ["PORT"], 2, read_timeout=0.2).get_object(Bucket="shelf", Key="asleep")
    except ReadTimeoutError as error:
        failures.append(type(error).__name__)
    s3.upload_fileobj(
        io.BytesIO(bytes(12 * MB)), "shelf", "large",
        Config=TransferConfig(multipart_threshold=5 * MB, multipart_chunksize=5 * MB),
    )
    print(json.dumps(failures))
"""
LIST = b"<ListBucketResult><Name>shelf</Name><KeyCount>0</KeyCount></ListBucketResult>"
UPLOAD = b"<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>"
COMPLETED = b"<CompleteMultipartUploadResult><Key>large</Key></CompleteMultipartUploadResult>"


def error(code):
    return f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()


class Stub(BaseHTTPRequestHandler):
    """As much of S3 as the program above asks for; what was asked is counted by operation."""

    protocol_version = "HTTP/1.1"

    def _answer(self):
        url = urlsplit(self.path)
        key = url.path.removeprefix("/shelf").strip("/")
        body = self._body()
        operation = operation_of(self.command, key, parse_qs(url.query, keep_blank_values=True))
        with self.server.lock:
            self.server.asked[operation] += 1
            self.server.keys[key] += 1
            times = self.server.keys[key]
        if key == "asleep":
            self.server.awake.wait(60)
        if key in {"asleep", "broken"}:
            self.close_connection = True
            return
        status, text = self._response(operation, key, times, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("ETag", '"7"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _response(self, operation, key, times, body):
        if operation == "PutObject":
            self.server.kept[key] = body
        if key == "denied":
            return 403, error("AccessDenied")
        if key == "busy" or (key == "slow" and times < 3):
            return 503, error("SlowDown")
        if key == "slow":
            return 200, b""
        if operation in {"GetObject", "HeadObject"} and key not in self.server.kept:
            return 404, error("NoSuchKey")
        answers = {
            "GetObject": self.server.kept.get(key),
            "ListObjectsV2": LIST,
            "CreateMultipartUpload": UPLOAD,
            "CompleteMultipartUpload": COMPLETED,
        }
        return 200, answers.get(operation, b"")

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return unwrapped(b"".join(parts), self.headers)
        return unwrapped(self.rfile.read(int(self.headers.get("Content-Length", 0))), self.headers)

    def log_message(self, *arguments):
        """Say nothing."""

    do_GET = do_PUT = do_POST = do_HEAD = _answer  # noqa: N815  http.server's names


def unwrapped(body, headers):
    """Take a body out of `aws-chunked`, in which newer releases send their checksums."""
    if "aws-chunked" not in headers.get("Content-Encoding", ""):
        return body
    found, rest = b"", body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            break
        found, rest = found + rest[:length], rest[length + 2 :]
    return found


def operation_of(method, key, query):
    if not key:
        return "ListObjectsV2"
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if "partNumber" in query:
        return "UploadPart"
    return {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}[method]


@contextmanager
def stub_of_s3():
    """Let a server be asked on a port of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Stub) as server:
        server.lock, server.asked = threading.Lock(), Counter()
        server.keys, server.kept, server.awake = Counter(), {}, threading.Event()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.awake.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def stub():
    """A server that is asked on a port of its own."""
    with stub_of_s3() as server:
        yield server


def test_operations_and_their_retries_are_the_requests_that_the_service_saw(
    run_with, stub, closed_port
):
    environment = {
        "PORT": str(stub.server_port),
        "CLOSED": str(closed_port),
        "AWS_EC2_METADATA_DISABLED": "true",
        "no_proxy": "127.0.0.1",
    }
    failures, page = run_with("boto3", PROGRAM, environment=environment)
    assert failures == [
        "ClientError",
        "ClientError",
        "ConnectionClosedError",
        "ClientError",
        "404",
        "ParamValidationError",
        "EndpointConnectionError",
        "ReadTimeoutError",
    ]
    calls = page.count(CALLS, "rpc_method", rpc_service="S3", rpc_system_name="aws-api")
    retries = page.count(RETRIES, "rpc_method")
    assert calls == {
        "PutObject": 2,
        "GetObject": 2 + 4 + 1 + 1 + 1,
        "HeadObject": 1,
        "ListObjectsV2": 1,
        "ListBuckets": 1,
        "CreateMultipartUpload": 1,
        "UploadPart": 3,
        "CompleteMultipartUpload": 1,
    }
    # One call was refused before it was sent, and one had nobody to ask.
    asked = {**calls, "GetObject": calls["GetObject"] - 1, "ListBuckets": 0}
    sent = Counter(asked) + Counter(retries)
    assert sent == stub.asked
    assert page.count(CALLS, "http_response_status_code", "error_type") == {
        ("200", ""): 2 + 2 + 1 + 1 + 5,
        ("404", "NoSuchKey"): 1,
        ("404", "404"): 1,
        ("403", "AccessDenied"): 1,
        ("503", "SlowDown"): 1,
        ("", "botocore.exceptions.ConnectionClosedError"): 1,
        ("", "botocore.exceptions.EndpointConnectionError"): 1,
        ("", "botocore.exceptions.ParamValidationError"): 1,
        ("", "botocore.exceptions.ReadTimeoutError"): 1,
    }
    assert page.count(RETRIES, "http_response_status_code", "error_type") == {
        ("503", "SlowDown"): 4,
        ("", "botocore.exceptions.ConnectionClosedError"): 2,
        ("", "botocore.exceptions.ReadTimeoutError"): 1,
    }
