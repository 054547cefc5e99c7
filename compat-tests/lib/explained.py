"""A list of known differences with their reasons. A difference that is not listed fails; so does an entry that no longer occurs."""
import fnmatch
import pathlib


class Explained:
    """Lines `where | difference | reason`; where and difference may have * and ?. Blank lines and lines with # are skipped."""

    def __init__(self, path):
        self.entries = []
        for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            words = [word.strip() for word in line.split(" | ")]
            if len(words) != 3 or not all(words):
                raise ValueError(f"{path}:{number}: not `where | difference | reason`")
            self.entries.append((*words, f"{pathlib.Path(path).name}:{number}"))
        self.used = set()

    def unexplained(self, where, sentences):
        """Those sentences that no entry explains."""
        return [sentence for sentence in sentences if not self._explains(where, sentence)]

    def stale(self):
        """Entries that explained nothing so far."""
        return [f"{place}: `{where} | {what}` no longer occurs: remove it" for where, what, _reason, place in self.entries if place not in self.used]

    def _explains(self, where, sentence):
        hits = [place for a, b, _reason, place in self.entries if _matches(where, a) and _matches(sentence, b)]
        self.used.update(hits[:1])
        return bool(hits)


def _matches(text, pattern):
    """Only * and ? are special: names have brackets."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))
