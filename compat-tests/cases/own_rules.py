"""The runner's own rules, on records made by hand: a right translation passes, each single fault is found."""
import base64

from lib import checks, kafka_wire, mapping, samples
from lib.journal import Journal
from lib.lab import case


def translated(sent):
    """One right native view of a Kafka record."""
    asked = mapping.first_values(sent["headers"])
    properties, key = {"UNIQ_KEY": "A" * 32}, sent["key"]
    words = [w for w in (mapping.text(asked.get("rmq.keys")), key.decode() if mapping.fits_keys(key) else None) if w]
    if words:
        properties["KEYS"] = " ".join(words)
    if key is not None and (not mapping.fits_keys(key) or "rmq.keys" in asked):
        properties["__KK"] = base64.b64encode(key).decode() or "-"
    if sent["value"] is None:
        properties["__KN"] = "1"
    for request, name in (("rmq.tags", "TAGS"), ("rmq.sharding.key", "__SHARDINGKEY")):
        if request in asked:
            properties[name] = asked[request].decode()
    for name, value in sent["headers"]:
        shown = f"kafka.h.{name}" if mapping.is_system(name) else name
        if value and mapping.is_utf8(value) and b"\x01" not in value and not name.startswith("rmq."):
            properties.setdefault(shown, value.decode())
    block = kafka_wire.varint(len(sent["headers"])) + b"".join(kafka_wire.sized(n.encode()) + kafka_wire.sized(v) for n, v in sent["headers"])
    properties["__KH"] = base64.b64encode(block).decode()
    return {"value": sent["value"] or None, "tags": properties.get("TAGS"), "keys": properties.get("KEYS"), "properties": properties,
            "flag": int(asked.get("rmq.flag") or 0), "msgId": (asked.get("rmq.msg.id") or b"A" * 32).decode(),
            "reconsumeTimes": 0, "bornTimestamp": sent["timestamp"]}


@case("runner: the mapping rules accept a right translation and find each fault")
def rules(_lab):
    for sent in samples.kafka_samples():
        good = translated(sent)
        checks.same(mapping.kafka_to_native(sent, good))
        faults = [{"value": b"other"}, {"tags": "Other"}, {"flag": 9}, {"keys": "other"}, {"reconsumeTimes": 1}, {"bornTimestamp": 1},
                  {"properties": good["properties"] | {"DELAY": "3"}}, {"properties": good["properties"] | {"extra": "1"}},
                  {"properties": good["properties"] | {"__KH": "AA=="}} if sent["headers"] else {"msgId": None}]
        for fault in faults:
            checks.true(f"{sent['_kind']}: {fault} was not found", mapping.kafka_to_native(sent, good | fault))
    for sent in samples.native_samples():
        key = mapping.native_key(sent)
        good = {"key": key and key.encode(), "value": sent["value"], "headers": mapping.native_headers(sent, key, None), "timestamp": 1}
        checks.same(mapping.native_to_kafka(sent, good))
        for fault in ({"key": b"other"}, {"value": b""}, {"headers": [*good["headers"], ("DELAY", b"1")]}):
            checks.true(f"{sent['_kind']}: {fault} was not found", mapping.native_to_kafka(sent, good | fault))


@case("runner: the ack journal finds what is lost, changed, moved or not dense")
def journal(_lab):
    held = {0: b"a", 1: b"b", 2: b"c"}
    for state, word in ((held, None), ({0: b"a", 1: b"b"}, "lost"), (held | {1: b"x"}, "changed"), ({0: b"a", 2: b"c"}, "lost")):
        kept = Journal()
        for offset, value in held.items():
            kept.ack("t", 0, offset, value)
        wrong = kept.check(("t", 0), lambda *_, s=state: (s, 1 + max(s)))
        checks.true(f"{state}: {wrong}", bool(wrong) == bool(word) and (not word or wrong[0].startswith(word)))
    kept.ack("t", 0, 1, b"another")
    checks.true("an offset acknowledged twice was not found", kept.moved)
    made = kafka_wire.batch(samples.codec_samples("none"), base_offset=7)
    checks.equal("values", [offset for offset, _ in kafka_wire.values(made)], [7, 8, 9, 10])
