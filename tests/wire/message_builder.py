"""Messages that protobuf's own runtime decodes, built from tables of their fields and without generated code."""

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

_T = descriptor_pb2.FieldDescriptorProto
_MANY: Final = "*"
_SINGLE: Final = "+"
_SCALARS: Final = {
    "bytes": _T.TYPE_BYTES,  # strings too: what is not UTF-8 must be decodable to be refused by name
    "double": _T.TYPE_DOUBLE,
    "int32": _T.TYPE_INT32,
    "int64": _T.TYPE_INT64,
    "uint32": _T.TYPE_UINT32,
    "uint64": _T.TYPE_UINT64,
    "sint32": _T.TYPE_SINT32,
    "sint64": _T.TYPE_SINT64,
}


def _file(package: str, messages: "Mapping[str, str]") -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for text in fields.split(", "):
            number, field_name, kind, *oneof = text.split()
            field = message.field.add(name=field_name, number=int(number), label=_T.LABEL_OPTIONAL)
            if kind.endswith((_MANY, _SINGLE)):
                field.label = _T.LABEL_REPEATED
                if kind.endswith(_SINGLE):
                    field.options.packed = False
                kind = kind.rstrip(_MANY + _SINGLE)
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type = _T.TYPE_MESSAGE
                field.type_name = f".{package}.{kind}"
            if oneof:
                names = [each.name for each in message.oneof_decl]
                if oneof[0][1:] not in names:
                    message.oneof_decl.add(name=oneof[0][1:])
                    names.append(oneof[0][1:])
                field.oneof_index = names.index(oneof[0][1:])
    return file


def message_classes(package: str, messages: "Mapping[str, str]") -> dict[str, type[Any]]:
    """By name. A field is `number name kind`; `*` behind the kind makes it repeated, `+` repeated and not packed."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file(package, messages))
    found: dict[str, type[Message]] = {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages
    }
    return found
