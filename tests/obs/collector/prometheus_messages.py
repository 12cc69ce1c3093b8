"""The published `metrics.proto` of prometheus/client_model, as far as it is read in tests.

Made with the `protobuf` library, so that what we write is read by somebody else's decoder.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.unknown_fields import UnknownFieldSet

_F = descriptor_pb2.FieldDescriptorProto
_KINDS = {
    "string": _F.TYPE_STRING, "double": _F.TYPE_DOUBLE, "uint64": _F.TYPE_UINT64,
    "uint32": _F.TYPE_UINT32, "int64": _F.TYPE_INT64, "sint32": _F.TYPE_SINT32,
    "sint64": _F.TYPE_SINT64, "int32": _F.TYPE_INT32,
}  # fmt: skip
_PACKAGE = "io.prometheus.client"
# Fields by message: number, name, type; a * in front of a type is for repeated ones.
_MESSAGES = {
    "Timestamp": ((1, "seconds", "int64"), (2, "nanos", "int32")),
    "LabelPair": ((1, "name", "string"), (2, "value", "string")),
    "Gauge": ((1, "value", "double"),),
    "Counter": (
        (1, "value", "double"),
        (2, "exemplar", "Exemplar"),
        (3, "created_timestamp", "Timestamp"),
    ),
    "Quantile": ((1, "quantile", "double"), (2, "value", "double")),
    "Summary": (
        (1, "sample_count", "uint64"),
        (2, "sample_sum", "double"),
        (3, "quantile", "*Quantile"),
        (4, "created_timestamp", "Timestamp"),
    ),
    "Untyped": ((1, "value", "double"),),
    "Histogram": (
        (1, "sample_count", "uint64"),
        (4, "sample_count_float", "double"),
        (2, "sample_sum", "double"),
        (3, "bucket", "*Bucket"),
        (15, "created_timestamp", "Timestamp"),
        (5, "schema", "sint32"),
        (6, "zero_threshold", "double"),
        (7, "zero_count", "uint64"),
        (8, "zero_count_float", "double"),
        (9, "negative_span", "*BucketSpan"),
        (10, "negative_delta", "*sint64"),
        (11, "negative_count", "*double"),
        (12, "positive_span", "*BucketSpan"),
        (13, "positive_delta", "*sint64"),
        (14, "positive_count", "*double"),
        (16, "exemplars", "*Exemplar"),
    ),
    "Bucket": (
        (1, "cumulative_count", "uint64"),
        (4, "cumulative_count_float", "double"),
        (2, "upper_bound", "double"),
        (3, "exemplar", "Exemplar"),
    ),
    "BucketSpan": ((1, "offset", "sint32"), (2, "length", "uint32")),
    "Exemplar": ((1, "label", "*LabelPair"), (2, "value", "double"), (3, "timestamp", "Timestamp")),
    "Metric": (
        (1, "label", "*LabelPair"),
        (2, "gauge", "Gauge"),
        (3, "counter", "Counter"),
        (4, "summary", "Summary"),
        (5, "untyped", "Untyped"),
        (7, "histogram", "Histogram"),
        (6, "timestamp_ms", "int64"),
    ),
    "MetricFamily": (
        (1, "name", "string"),
        (2, "help", "string"),
        # An enumeration, which is written as a whole number is.
        (3, "type", "int32"),
        (4, "metric", "*Metric"),
        (5, "unit", "string"),
    ),
}
TYPES = ("COUNTER", "GAUGE", "SUMMARY", "UNTYPED", "HISTOGRAM", "GAUGE_HISTOGRAM")


def _made():
    file = descriptor_pb2.FileDescriptorProto(
        name="metrics.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, written in fields:
            label = _F.LABEL_REPEATED if written.startswith("*") else _F.LABEL_OPTIONAL
            kind = written.removeprefix("*")
            made = message.field.add(name=field, number=number, label=label)
            if kind in _KINDS:
                made.type = _KINDS[kind]
            else:
                made.type, made.type_name = _F.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"{_PACKAGE}.MetricFamily")
    return message_factory.GetMessageClass(found)


MetricFamily = _made()


def families(page):
    """Read a page of delimited messages, by the families' names."""
    found, place = {}, 0
    while place < len(page):
        size = shift = 0
        while True:
            byte = page[place]
            place += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        family = MetricFamily.FromString(page[place : place + size])
        assert len(UnknownFieldSet(family)) == 0
        assert family.name not in found
        found[family.name] = family
        place += size
    return found


def counts_of(spans, deltas):
    """Give the counts by key that spans and deltas tell; holes that are written have 0."""
    found, key, count, rest = {}, 0, 0, list(deltas)
    for span in spans:
        key += span.offset
        for _ in range(span.length):
            count += rest.pop(0)
            found[key] = count
            key += 1
    assert not rest
    return found
