//! Where the process listens. A port of 0 is a free one.

use std::net::IpAddr;

use super::key::{Allowed, section};

section! {
    /// Where the process listens.
    network: Network {
        /// Address of all listeners; 0.0.0.0 or :: opens them to the network (RocketMQ's default).
        bind_address: IpAddr = "127.0.0.1", "bindAddress", RocketMq, Address;
        /// Port of the RocketMQ broker; the fast port is 2 below it.
        listen_port: u16 = "10911", "listenPort", RocketMq, Port;
        /// Port of the name server; `listenPort` in namesrv.conf.
        namesrv_port: u16 = "9876", "namesrvPort", Gantry, Port;
        /// Port of Kafka, unless `listeners` names one.
        kafka_port: u16 = "9092", "kafkaPort", Gantry, Port;
        /// Port of health, readiness and metrics.
        http_port: u16 = "8088", "httpPort", Gantry, Port;
        /// Second port of the metrics, where RocketMQ's exporter has it.
        metrics_port: u16 = "5557", "metricsPromExporterPort", RocketMq, Port;
        /// Address of the second metrics port; unset means `bindAddress`.
        metrics_host: Option<IpAddr> = "", "metricsPromExporterHost", RocketMq, Address;
        /// A RocketMQ connection without traffic for this long is closed.
        remoting_idle_seconds: u64 = "120", "serverChannelMaxIdleTimeSeconds", RocketMq, Seconds, Allowed::Range(1, 86_400);
    }
}
