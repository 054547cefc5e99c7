//! The alert rules as Prometheus reads them: what somebody has to act on, and nothing else.

use std::fmt::Write as _;

/// One rule: when `expression` holds for so long, somebody reads `summary` and does `cure`.
struct Rule {
    name: &'static str,
    expression: &'static str,
    lasting: &'static str,
    severity: &'static str,
    summary: &'static str,
    cure: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        name: "GantryDown",
        expression: "absent(gantry_build_info)",
        lasting: "1m",
        severity: "critical",
        summary: "no Gantry answers the scrape",
        cure: "Start it; its log says why it ended. Acknowledged messages are on the disk.",
    },
    Rule {
        name: "GantryTakesNoMessages",
        expression: "gantry_store_writable == 0",
        lasting: "30s",
        severity: "critical",
        summary: "the store takes no messages",
        cure: "/readyz says why: make room on the disk, or restart after a failed sync.",
    },
    Rule {
        name: "GantryLogDamaged",
        expression: "gantry_commitlog_damaged_ranges > 0",
        lasting: "0m",
        severity: "critical",
        summary: "a range of the CommitLog is damaged and not served",
        cure: "Run gantry store check on the stopped broker and restore the file from a copy.",
    },
    Rule {
        name: "GantryDiskNearlyFull",
        expression: "gantry_disk_used_ratio > 0.85",
        lasting: "5m",
        severity: "warning",
        summary: "the disk of the data directory is nearly full",
        cure: "Make room, or keep messages for less time (fileReservedTime). Above diskSpaceWarningLevelRatio sends are refused.",
    },
    Rule {
        name: "GantrySyncsSlow",
        expression: "histogram_quantile(0.99, sum by (le) (rate(gantry_flush_seconds_bucket[5m]))) > 0.5",
        lasting: "5m",
        severity: "warning",
        summary: "one sync of the log in a hundred takes more than half a second",
        cure: "Look at what else writes to that disk; synchronous sends wait for it.",
    },
    Rule {
        name: "GantryGroupStuck",
        expression: "rocketmq_consumer_lag_latency_milliseconds > 600000",
        lasting: "10m",
        severity: "warning",
        summary: "a group has not consumed messages that are older than ten minutes",
        cure: "gantry group describe shows its members and where they stand.",
    },
    Rule {
        name: "GantryRefusesMessages",
        expression: "sum by (reason) (rate(gantry_refused_total{request=\"send\",reason=~\"busy|disk_full|storage\"}[5m])) > 0",
        lasting: "5m",
        severity: "warning",
        summary: "producers are refused for a reason that is the broker's",
        cure: "The label reason says which; the broker's log has the first of them.",
    },
    Rule {
        name: "GantryConnectionsRefused",
        expression: "rate(gantry_connections_refused_total[5m]) > 0",
        lasting: "5m",
        severity: "warning",
        summary: "connections above the limit are refused",
        cure: "A client opens too many, or the limit is too low for this many clients.",
    },
];

/// The rules as one YAML file.
pub(super) fn rules_yaml() -> String {
    let mut text = "groups:\n  - name: gantry\n    rules:\n".to_owned();
    for rule in RULES {
        let Rule { name, expression, lasting, severity, summary, cure } = rule;
        let _ = writeln!(text, "      - alert: {name}");
        for (indent, key, value) in [
            (8, "expr", quoted(expression)),
            (8, "for", (*lasting).to_owned()),
            (8, "labels", String::new()),
            (10, "severity", (*severity).to_owned()),
            (8, "annotations", String::new()),
            (10, "summary", quoted(summary)),
            (10, "description", quoted(cure)),
        ] {
            let line = format!("{:indent$}{key}: {value}", "");
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

/// A YAML scalar between single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
