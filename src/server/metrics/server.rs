//! The server's own metrics: connections and read memory, the process, the build. There from the first moment on.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::process;
use super::rows::Rows;
use crate::server::port::Shared;

/// The server's own metrics, read when they are asked for.
pub(in crate::server) struct ServerMetrics(pub(in crate::server) Arc<Shared>);

impl fmt::Debug for ServerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerMetrics")
    }
}

impl Collector for ServerMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let admission = &self.0.admission;
        let mut rows = Rows::new(encoder, Vec::new());
        rows.gauge("gantry_connections", "Open connections of all dialects", admission.open() as i64)?;
        let of_listeners = admission.open_by_listener();
        let of_listeners = of_listeners.iter().map(|&(name, open)| (vec![("listener", name)], open as i64));
        rows.gauges("gantry_listener_connections", "Open connections of a listener", of_listeners)?;
        rows.counter(
            "gantry_connections_refused",
            "Connections over the limit of all or of one address",
            admission.refused(),
        )?;
        let read_memory = self.0.memory.used() as i64;
        rows.gauge("gantry_read_buffer_bytes", "Memory of large read buffers", read_memory)?;
        let build = vec![("version", env!("CARGO_PKG_VERSION"))];
        rows.info("gantry_build_info", "What runs", build)?;
        process::write(&mut rows)
    }
}
