"""Compares two answers by their shape: names and types of everything, values where they do not depend on the run."""


def differences(wanted, got, data=(), exact=()):
    """Sentences about what `got` lacks or has besides `wanted`. Members of a map whose name ends with one of `data` are one
    thing, its names being data; so are the items of a list. Values of names in `exact` must be equal where there is but one such thing."""
    left, right = _paths(wanted, data, exact), _paths(got, data, exact)
    sentences = [f"no {path}" for path in left if path not in right and _parent_has(path, right)]
    sentences += [f"{path} besides" for path in right if path not in left and _parent_has(path, left)]
    for path in left:
        if path in right and left[path] != right[path] and not {"null"} & (left[path] | right[path]):
            sentences.append(f"{path} is {'/'.join(sorted(right[path]))} instead of {'/'.join(sorted(left[path]))}")
    return sorted(sentences)


def _parent_has(path, paths):
    """Only the topmost of what is absent is named."""
    parent = path[:-2] if path.endswith("[]") else path.rpartition(".")[0]
    return not parent or parent in paths


def _paths(value, data, exact):
    found = {}
    _walk(value, "", data, exact, found)
    return found


def _walk(value, path, data, exact, found):
    name = path.rpartition(".")[2]
    if isinstance(value, dict):
        _note(found, path, "map")
        for member, inner in value.items():
            as_data = any(path.endswith(end) for end in data)
            _walk(inner, f"{path}.{'*' if as_data else member}", data, exact, found)
    elif isinstance(value, list):
        _note(found, path, "list")
        for item in value:
            _walk(item, path + "[]", data, exact, found)
    else:
        kind = "null" if value is None else {bool: "bool", int: "number", float: "number"}.get(type(value), "text")
        _note(found, path, f"{kind} {value}" if name in exact and ".*" not in path else kind)


def _note(found, path, kind):
    if path:
        found.setdefault(path, set()).add(kind)
