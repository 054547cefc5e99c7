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
    let mut text = format!("Gantry {} is ready", env!("CARGO_PKG_VERSION"));
    text.push_str(&format!("; data in {}\n\n", settings.store.root.display()));
    let mut row = |name: &str, value: String| text.push_str(&format!("  {name:<22}{value}\n"));
    if let Some(namesrv) = addresses.namesrv {
        row("RocketMQ name server", dialable(namesrv).to_string());
    }
    if let Some(broker) = addresses.broker {
        let fast = broker.fast.map(|fast| format!("  (fast port {})", fast.port())).unwrap_or_default();
        row("RocketMQ broker", format!("{}{fast}", dialable(broker.remoting)));
        row("Kafka", dialable(broker.kafka).to_string());
    }
    let namesrvs: Vec<&str> = settings.registration.namesrv_addr.iter().collect();
    if addresses.broker.is_some() && !namesrvs.is_empty() {
        row("Registers with", namesrvs.join(" "));
    }
    let http = dialable(addresses.http);
    row("Health and metrics", format!("http://{http}/readyz  http://{http}/metrics"));
    text.push_str(&next(settings, addresses));
    text.push_str("\nStop with Ctrl-C.\n");
    text
}

/// What to type next.
fn next(settings: &Settings, addresses: &Addresses) -> String {
    let own = addresses.namesrv.map(|namesrv| dialable(namesrv).to_string());
    let first = settings.registration.namesrv_addr.iter().next().map(str::to_owned);
    match (addresses.broker, own.or(first)) {
        (Some(broker), Some(namesrv)) => {
            let kafka = dialable(broker.kafka);
            format!(
                "
Write with one dialect, read with the other:

  mqadmin sendMessage -n {namesrv} -t hello -p 'from RocketMQ'
  kcat -b {kafka} -C -t hello -o beginning -e
  echo 'from Kafka' | kcat -b {kafka} -P -t hello
  mqadmin consumeMessage -n {namesrv} -t hello
"
            )
        }
        (Some(_), None) => "
No name server is configured: RocketMQ clients do not find this broker. Name one with --namesrv.
"
        .to_owned(),
        (None, namesrv) => {
            let namesrv = namesrv.unwrap_or_default();
            format!(
                "
Point brokers and clients at it:

  gantry broker --namesrv {namesrv}
  mqadmin clusterList -n {namesrv}
"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::BrokerAddresses;

    fn everything() -> Addresses {
        let address = |port| format!("0.0.0.0:{port}").parse().unwrap();
        let broker =
            BrokerAddresses { remoting: address(10911), fast: Some(address(10909)), kafka: address(9092) };
        Addresses { namesrv: Some(address(9876)), broker: Some(broker), http: address(8088), metrics: None }
    }

    #[test]
    fn names_addresses_that_can_be_typed() {
        let text = text(&Settings::default(), &everything());
        assert!(text.contains("RocketMQ broker       127.0.0.1:10911  (fast port 10909)\n"), "{text}");
        assert!(text.contains("kcat -b 127.0.0.1:9092 -C -t hello"), "{text}");
        assert!(!text.contains("0.0.0.0"), "{text}");
    }

    #[test]
    fn a_role_is_told_what_it_serves() {
        let namesrv = text(&Settings::default(), &Addresses { broker: None, ..everything() });
        assert!(namesrv.contains("gantry broker --namesrv 127.0.0.1:9876"), "{namesrv}");
        assert!(!namesrv.contains("kcat"), "{namesrv}");
        let alone = text(&Settings::default(), &Addresses { namesrv: None, ..everything() });
        assert!(alone.contains("No name server is configured"), "{alone}");
    }
}
