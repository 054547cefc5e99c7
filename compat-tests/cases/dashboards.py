"""`gantry dashboards`: every panel's query and every alert rule, asked of a real Prometheus that scrapes a live broker."""
import json
import subprocess

from lib import checks, client, process, prometheus, samples
from lib.lab import case


@case("dashboards: each query of the board has an answer, each alert rule is understood and quiet", needs=("gantry",), limit=120)
def board(lab):
    home = lab.home / lab.fresh("dashboards")
    written = subprocess.run([lab.binary, "dashboards", home], capture_output=True, text=True, timeout=60)
    checks.equal("exit code", written.returncode, 0)
    panels = json.loads((home / "gantry-board.json").read_text())["panels"]
    queries = [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]
    checks.true(f"only {len(queries)} queries", len(queries) > 20)
    code, words = prometheus.check_rules(home / "gantry-alerts.yaml")
    checks.equal(f"promtool: {words}", code, 0)
    gantry = lab.gantry_on(lab.fresh("scraped")).start()
    try:
        with prometheus.Prometheus(home / "prometheus", gantry.http, home / "gantry-alerts.yaml") as prom:
            use(lab, gantry, prom)
            for title, expression in queries:
                # what Grafana puts in the place of its variable, for a scrape every second
                expression = expression.replace("$__rate_interval", "30s")
                series = process.wait_for(f"{title}: {expression}", lambda e=expression: prom.query(e), 30)
                lab.cell(f"{title}: {expression[:90]}", [] if series else ["no series"])
            rules = prom.ask("rules")["groups"][0]["rules"]
            for rule in rules:
                wrong = [] if rule["health"] == "ok" and rule["state"] == "inactive" else [f"{rule['health']}, {rule['state']}"]
                lab.cell(f"alert {rule['name']}", wrong)
    finally:
        gantry.stop()


def use(lab, gantry, prom):
    """Both dialects write, read and commit, twice, so that every counter moves between two scrapes; one group stays behind."""
    native, kafka = client.rocketmq("533", gantry.namesrv, lab.home), client.kafka(gantry.kafka)
    try:
        for topic, configs in (("modeB", {}), ("modeS", {"queue.type": "SimpleCQ"})):
            kafka.run("createTopic", topic=topic, partitions=1, configs=configs)
        for turn in range(2):
            for topic in ("modeB", "modeS"):
                kafka.run("produce", topic=topic, records=[samples.kafka("k", b"k", b"kafka", []) | {"partition": 0}])
                native.run("produce", topic=topic, records=[samples.native("n", b"native", keys="key", tags="T", partition=0)])
            native.run("consume", mode="push", group="behind", topics=["modeB", "modeS"], count=4, timeout=15_000)
            kafka.run("consume", mode="group", group="kafka", topics=["modeB", "modeS"], count=4, timeout=15_000)
            scraped = len(prom.query("count_over_time(gantry_build_info[5m])"))
            seen = f"max(gantry_messages_in_total{{dialect=\"kafka\"}}) >= {2 * (turn + 1)}"
            process.wait_for(f"a scrape after {scraped}", lambda s=seen: prom.query(s), 30)
        for topic in ("modeB", "modeS"):
            native.run("produce", topic=topic, records=[samples.native("n", b"later", keys="key", tags="T", partition=0)])
    finally:
        native.close()
        kafka.close()
