//! Banner: where everything listens and what to type next, once all of it answers.

use std::io::Write;

use crate::config::Settings;
use crate::server::{Addresses, dialable};

/// Prints it; a closed terminal is no reason to stop.
pub(super) fn print(out: &mut dyn Write, settings: &Settings, addresses: &Addresses) {
    let _ = out.write_all(text(settings, addresses).as_bytes());
    let _ = out.flush();
}

fn text(settings: &Settings, addresses: &Addresses) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let data = settings.store.root.display();
    let namesrv = dialable(addresses.namesrv);
    let remoting = dialable(addresses.remoting);
    let kafka = dialable(addresses.kafka);
    let http = dialable(addresses.http);
    let fast = addresses.fast.map(|fast| format!("  (fast port {})", fast.port())).unwrap_or_default();
    format!(
        "\
Gantry {version} is ready; data in {data}

  RocketMQ name server  {namesrv}
  RocketMQ broker       {remoting}{fast}
  Kafka                 {kafka}
  Health and metrics    http://{http}/readyz  http://{http}/metrics

Write with one dialect, read with the other:

  mqadmin sendMessage -n {namesrv} -t hello -p 'from RocketMQ'
  kcat -b {kafka} -C -t hello -o beginning -e
  echo 'from Kafka' | kcat -b {kafka} -P -t hello
  mqadmin consumeMessage -n {namesrv} -t hello

Stop with Ctrl-C.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_that_can_be_typed() {
        let address = |port| format!("0.0.0.0:{port}").parse().unwrap();
        let addresses = Addresses {
            namesrv: address(9876),
            remoting: address(10911),
            fast: Some(address(10909)),
            kafka: address(9092),
            http: address(8088),
            metrics: None,
        };
        let text = text(&Settings::default(), &addresses);
        assert!(text.contains("RocketMQ broker       127.0.0.1:10911  (fast port 10909)\n"), "{text}");
        assert!(text.contains("kcat -b 127.0.0.1:9092 -C -t hello"), "{text}");
        assert!(!text.contains("0.0.0.0"), "{text}");
    }
}
