//! Rows: one call a metric. Knows the text format's rules, and no value.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder};
use prometheus_client::metrics::MetricType;

/// Names and values of labels.
pub(super) type Labels<'l> = Vec<(&'l str, &'l str)>;

/// Where rows are written to.
pub(super) struct Rows<'e, 'l> {
    encoder: DescriptorEncoder<'e>,
    /// Stand in front of every row's own labels.
    common: Labels<'l>,
}

impl<'e, 'l> Rows<'e, 'l> {
    pub(super) fn new(encoder: DescriptorEncoder<'e>, common: Labels<'l>) -> Rows<'e, 'l> {
        Rows { encoder, common }
    }

    /// Something that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        self.gauges(name, help, [(Vec::new(), value)])
    }

    /// The same for each of some labels.
    pub(super) fn gauges<'r>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'r>, impl EncodeGaugeValue)>,
    ) -> fmt::Result {
        let common = &self.common;
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (own, value) in rows {
            labelled(&mut metric, common, own, |row| row.encode_gauge(&value))?;
        }
        Ok(())
    }

    /// Something that only grows; the format adds `_total` to the name.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.counters(name, help, [(Vec::new(), value)])
    }

    /// The same for each of some labels.
    pub(super) fn counters<'r>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'r>, impl EncodeCounterValue)>,
    ) -> fmt::Result {
        let common = &self.common;
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (own, value) in rows {
            let count = |row: &mut MetricEncoder<'_>| row.encode_counter::<Labels<'_>, _, u64>(&value, None);
            labelled(&mut metric, common, own, count)?;
        }
        Ok(())
    }

    /// How often what took how much, for each of some labels: the sum, and upper bound and count of each bucket;
    /// the last bound is `f64::MAX`.
    pub(super) fn histograms<'r>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'r>, f64, Vec<(f64, u64)>)>,
    ) -> fmt::Result {
        let common = &self.common;
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (own, sum, buckets) in rows {
            let count = buckets.iter().map(|(_, count)| count).sum();
            let row =
                |row: &mut MetricEncoder<'_>| row.encode_histogram::<Labels<'_>>(sum, count, &buckets, None);
            labelled(&mut metric, common, own, row)?;
        }
        Ok(())
    }

    /// Facts that are labels; the value is 1.
    pub(super) fn info(&mut self, name: &str, help: &str, facts: Labels<'_>) -> fmt::Result {
        self.gauges(name, help, [(facts, 1_i64)])
    }
}

/// Names of groups and topics come from clients; the encoder writes values as they are.
fn escaped(value: &str) -> Cow<'_, str> {
    if !value.contains(['\\', '"', '\n']) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn labelled(
    metric: &mut MetricEncoder<'_>,
    common: &Labels<'_>,
    own: Labels<'_>,
    encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    let labels: Vec<_> = common.iter().chain(&own).map(|(name, value)| (*name, escaped(value))).collect();
    if labels.is_empty() {
        return encode(metric);
    }
    encode(&mut metric.encode_family(&labels)?)
}
