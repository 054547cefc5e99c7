//! The board: rows of panels, each with its queries.

/// How a panel is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lines over time.
    Lines,
    /// One number.
    Number,
}

/// One line or number: a PromQL expression, and what to call it.
pub(super) type Query = (&'static str, &'static str);

/// A panel; `unit` is Grafana's word for it.
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: &'static str,
    pub(super) queries: &'static [Query],
}

const fn lines(title: &'static str, unit: &'static str, queries: &'static [Query]) -> Panel {
    Panel { title, kind: Kind::Lines, unit, queries }
}

const fn number(title: &'static str, unit: &'static str, queries: &'static [Query]) -> Panel {
    Panel { title, kind: Kind::Number, unit, queries }
}

/// Rows from top to bottom: what is asked first stands first.
pub(super) const ROWS: &[(&str, &[Panel])] = &[
    (
        "Now",
        &[
            number("Takes messages", "bool_yes_no", &[("min(gantry_store_writable)", "")]),
            number("Messages in", "cps", &[("sum(rate(gantry_messages_in_total[$__rate_interval]))", "")]),
            number("Messages out", "cps", &[("sum(rate(gantry_messages_out_total[$__rate_interval]))", "")]),
            number("Largest lag", "short", &[("max(rocketmq_consumer_lag_messages) or vector(0)", "")]),
            number("Connections", "short", &[("sum(gantry_connections)", "")]),
            number("Disk used", "percentunit", &[("max(gantry_disk_used_ratio)", "")]),
        ],
    ),
    (
        "Traffic",
        &[
            lines(
                "Messages in, by dialect",
                "cps",
                &[("sum by (dialect) (rate(gantry_messages_in_total[$__rate_interval]))", "{{dialect}}")],
            ),
            lines(
                "Messages out, by dialect",
                "cps",
                &[("sum by (dialect) (rate(gantry_messages_out_total[$__rate_interval]))", "{{dialect}}")],
            ),
            lines(
                "Bytes",
                "Bps",
                &[
                    ("sum(rate(gantry_bytes_in_total[$__rate_interval]))", "in"),
                    ("sum(rate(gantry_bytes_out_total[$__rate_interval]))", "out"),
                ],
            ),
            lines(
                "Topics with most messages in",
                "cps",
                &[(
                    "topk(10, sum by (topic) (rate(rocketmq_messages_in_total[$__rate_interval])))",
                    "{{topic}}",
                )],
            ),
            lines(
                "Refused",
                "cps",
                &[(
                    "sum by (dialect, request, reason) (rate(gantry_refused_total[$__rate_interval])) or vector(0)",
                    "{{dialect}} {{request}} {{reason}}",
                )],
            ),
            lines(
                "Size of messages, median",
                "bytes",
                &[(
                    "histogram_quantile(0.5, sum by (le) (rate(rocketmq_message_size_bucket[$__rate_interval])))",
                    "median",
                )],
            ),
        ],
    ),
    (
        "Answers",
        &[
            lines(
                "RocketMQ requests, 99th percentile",
                "ms",
                &[(
                    "histogram_quantile(0.99, sum by (le, request_code) (rate(rocketmq_rpc_latency_milliseconds_bucket{is_long_polling=\"false\"}[$__rate_interval])))",
                    "{{request_code}}",
                )],
            ),
            lines(
                "Kafka requests, 99th percentile since the start",
                "ms",
                &[("kafka_network_requestmetrics_totaltimems{quantile=\"0.99\"}", "{{request}}")],
            ),
            lines(
                "Requests of RocketMQ clients",
                "reqps",
                &[(
                    "sum by (request_code) (rate(rocketmq_rpc_latency_milliseconds_count[$__rate_interval]))",
                    "{{request_code}}",
                )],
            ),
            lines(
                "Requests of Kafka clients",
                "reqps",
                &[(
                    "sum by (request) (rate(kafka_network_requestmetrics_requests_total[$__rate_interval]))",
                    "{{request}}",
                )],
            ),
            lines("Requests that wait", "short", &[("sum(gantry_parked_requests)", "waiting")]),
        ],
    ),
    (
        "Groups",
        &[
            lines(
                "Groups farthest behind",
                "short",
                &[("topk(10, rocketmq_consumer_lag_messages)", "{{consumer_group}} {{topic}}")],
            ),
            lines(
                "Age of the oldest message not consumed",
                "ms",
                &[("topk(10, rocketmq_consumer_lag_latency_milliseconds)", "{{consumer_group}} {{topic}}")],
            ),
            lines(
                "Groups with members",
                "short",
                &[("sum by (dialect) (gantry_live_groups)", "{{dialect}}")],
            ),
            lines(
                "Connections",
                "short",
                &[
                    ("sum by (listener) (gantry_listener_connections)", "{{listener}}"),
                    ("sum(rocketmq_producer_connections)", "RocketMQ producers"),
                    ("sum(rocketmq_consumer_connections)", "RocketMQ consumers"),
                ],
            ),
        ],
    ),
    (
        "Store",
        &[
            lines("CommitLog", "bytes", &[("sum(rocketmq_storage_size_bytes)", "size")]),
            lines(
                "Written and not yet synced",
                "bytes",
                &[("sum(rocketmq_storage_flush_behind_bytes)", "behind")],
            ),
            lines(
                "Syncs, 99th percentile",
                "s",
                &[(
                    "histogram_quantile(0.99, sum by (le) (rate(gantry_flush_seconds_bucket[$__rate_interval])))",
                    "p99",
                )],
            ),
            lines(
                "Age of the oldest message",
                "ms",
                &[("max(rocketmq_storage_message_reserve_time_milliseconds)", "oldest")],
            ),
            lines("Damaged ranges", "short", &[("sum(gantry_commitlog_damaged_ranges)", "damaged")]),
            lines(
                "Decoded batches",
                "cps",
                &[
                    ("sum(rate(gantry_decoded_batch_hits_total[$__rate_interval]))", "found"),
                    ("sum(rate(gantry_decoded_batch_misses_total[$__rate_interval]))", "decoded"),
                ],
            ),
        ],
    ),
    (
        "Process",
        &[
            lines("Memory", "bytes", &[("sum by (kind) (gantry_resident_memory_bytes)", "{{kind}}")]),
            lines(
                "CPU",
                "percentunit",
                &[("sum(rate(process_cpu_seconds_total[$__rate_interval]))", "cores")],
            ),
            lines(
                "Descriptors and threads",
                "short",
                &[("sum(process_open_fds)", "descriptors"), ("sum(process_threads)", "threads")],
            ),
        ],
    ),
];
