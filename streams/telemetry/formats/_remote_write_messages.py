"""
The messages of Prometheus remote write, as much of them as becomes signals.

Sources: Prometheus Remote-Write 1.0 and 2.0 specifications (``prometheus.WriteRequest``, ``io.prometheus.write.v2.Request``).
No package that is kept up ships these, so their fields stand here.
"""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_STRING: Final = FieldDescriptorProto.TYPE_STRING
_DOUBLE: Final = FieldDescriptorProto.TYPE_DOUBLE
_INT64: Final = FieldDescriptorProto.TYPE_INT64
_UINT64: Final = FieldDescriptorProto.TYPE_UINT64
_UINT32: Final = FieldDescriptorProto.TYPE_UINT32

_SAMPLE: Final = (("value", 1, _DOUBLE), ("timestamp", 2, _INT64))
_HISTOGRAM: Final = (
    ("count_int", 1, _UINT64),
    ("count_float", 2, _DOUBLE),
    ("sum", 3, _DOUBLE),
    ("timestamp", 15, _INT64),
)
#: Of each message its fields: name, number, and type; a message's name in brackets is a list of it.
_V1: Final[Mapping[str, tuple[tuple[str, int, int | str], ...]]] = {
    "WriteRequest": (("timeseries", 1, "[TimeSeries]"),),
    "TimeSeries": (
        ("labels", 1, "[Label]"),
        ("samples", 2, "[Sample]"),
        ("histograms", 4, "[Histogram]"),
    ),
    "Label": (("name", 1, _STRING), ("value", 2, _STRING)),
    "Sample": _SAMPLE,
    "Histogram": _HISTOGRAM,
}
_V2: Final[Mapping[str, tuple[tuple[str, int, int | str], ...]]] = {
    "Request": (("symbols", 4, "[string]"), ("timeseries", 5, "[TimeSeries]")),
    "TimeSeries": (
        ("labels_refs", 1, "[uint32]"),
        ("samples", 2, "[Sample]"),
        ("histograms", 3, "[Histogram]"),
        ("metadata", 5, "Metadata"),
    ),
    "Sample": _SAMPLE,
    "Histogram": _HISTOGRAM,
    "Metadata": (("unit_ref", 4, _UINT32),),
}
_LISTED: Final = {"[string]": _STRING, "[uint32]": _UINT32}


def _made(package: str, messages: Mapping[str, tuple[tuple[str, int, int | str], ...]]) -> Any:
    """Return the class of the first of *messages*."""
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for called, number, kind in fields:
            field = message.field.add(name=called, number=number)
            listed = isinstance(kind, str) and kind.startswith("[")
            field.label = field.LABEL_REPEATED if listed else field.LABEL_OPTIONAL
            if isinstance(kind, int):
                field.type = kind
            elif kind in _LISTED:
                field.type = _LISTED[kind]
            else:
                field.type = field.TYPE_MESSAGE
                field.type_name = f".{package}.{kind.strip('[]')}"
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{package}.{next(iter(messages))}"))


#: ``prometheus.WriteRequest``.
WriteRequest: Final = _made("prometheus", _V1)
#: ``io.prometheus.write.v2.Request``.
Request: Final = _made("io.prometheus.write.v2", _V2)
