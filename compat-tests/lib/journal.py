"""What was acknowledged, kept by the driver, and the comparison with what a broker holds after it came back."""
import threading


class Journal:
    """(topic, partition) -> offset -> the bytes acknowledged there. Several writers add at the same time."""

    def __init__(self):
        self.lock, self.acked, self.ends, self.moved = threading.Lock(), {}, {}, []
        self.verified = {}

    def ack(self, topic, partition, offset, value):
        """Two messages acknowledged at one place mean that the second overwrote the first."""
        place = topic, partition
        with self.lock:
            held = self.acked.setdefault(place, {}).setdefault(offset, value)
            if held != value:
                self.moved.append(f"{place} offset {offset} was acknowledged for {held[:40]!r} and for {value[:40]!r}")
            self.ends[place] = max(self.ends.get(place, 0), offset + 1)

    def end(self, topic, partition):
        """One more than the greatest acknowledged offset."""
        return self.ends.get((topic, partition), 0)

    def count(self):
        with self.lock:
            return sum(len(offsets) for offsets in self.acked.values())

    def places(self):
        with self.lock:
            return sorted(self.acked)

    def check(self, place, read, whole=False):
        """Compares one queue, from where the last check ended (or from the start) to its end.

        `read(topic, partition, from)` gives {offset: value} and the next offset; what was acknowledged before the call is
        demanded, what comes meanwhile waits for the next check. Returns sentences."""
        begin = 0 if whole else self.verified.get(place, 0)
        with self.lock:
            wanted = {offset: value for offset, value in self.acked[place].items() if offset >= begin}
            end = self.ends[place]
        held, following = read(*place, begin)
        wrong = [self._word(place, offset, value, held.get(offset)) for offset, value in wanted.items() if held.get(offset) != value]
        holes = [offset for offset in range(begin, following) if offset not in held]
        if holes:
            wrong.append(f"not dense: {place} lacks {holes[:5]} ({len(holes)}) below {following}")
        self.verified[place] = end
        return wrong

    @staticmethod
    def _word(place, offset, value, found):
        what = "lost" if found is None else f"changed to {found[:40]!r}"
        return f"{what}: {place[0]}-{place[1]} offset {offset}, acknowledged {value[:40]!r}"
