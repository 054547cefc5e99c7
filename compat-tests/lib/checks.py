"""Small words that several cases use."""
import time


def equal(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what} is {got!r:.300}, expected {wanted!r:.300}")


def true(what, holds):
    if not holds:
        raise AssertionError(what)


def same(differences):
    """Fails with the sentences of a mapping rule."""
    if differences:
        raise AssertionError("; ".join(differences))


def eventually(what, probe, seconds=10):
    """Asks again every 50 ms until `probe()` is true; for what a broker does after its answer."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return found


def by_place(records):
    """(partition, offset) -> record; a place read twice is an error."""
    places = {}
    for record in records:
        place = record["partition"], record["offset"]
        true(f"{place} was read twice", place not in places)
        places[place] = record
    return places


def refused(call, *kinds):
    """The command must end with one of these errors; returns what the client said."""
    from lib.client import ClientError
    try:
        call()
    except ClientError as error:
        true(f"refused with {error}, expected {' or '.join(kinds)}", any(kind in str(error) for kind in kinds))
        return str(error)
    raise AssertionError(f"not refused, expected {' or '.join(kinds)}")
