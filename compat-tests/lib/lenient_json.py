"""JSON as fastjson writes it: names may be numbers without quotes or whole objects, which `json` refuses."""
import json

_DECODER = json.JSONDecoder()


def loads(text):
    """The value of `text` (str or bytes). Names that are not strings become their text."""
    if isinstance(text, bytes):
        text = text.decode()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        value, at = _value(text, _blank(text, 0))
        if _blank(text, at) != len(text):
            raise ValueError(f"more text after the value, at {at}") from None
        return value


def _blank(text, at):
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _value(text, at):
    if at >= len(text):
        raise ValueError("the text ends in a value")
    if text[at] == "{":
        return _object(text, at + 1)
    if text[at] == "[":
        return _array(text, at + 1)
    return _DECODER.raw_decode(text, at)


def _object(text, at):
    members = {}
    at = _blank(text, at)
    while text[at] != "}":
        name, at = _value(text, at)
        at = _blank(text, at)
        if text[at] != ":":
            raise ValueError(f"no colon after a name, at {at}")
        value, at = _value(text, _blank(text, at + 1))
        members[name if isinstance(name, str) else json.dumps(name, sort_keys=True)] = value
        at = _next(text, at, "}")
    return members, at + 1


def _array(text, at):
    items = []
    at = _blank(text, at)
    while text[at] != "]":
        value, at = _value(text, at)
        items.append(value)
        at = _next(text, at, "]")
    return items, at + 1


def _next(text, at, end):
    """Behind a comma, or at the end sign."""
    at = _blank(text, at)
    if text[at] == ",":
        return _blank(text, at + 1)
    if text[at] != end:
        raise ValueError(f"neither a comma nor {end}, at {at}")
    return at
