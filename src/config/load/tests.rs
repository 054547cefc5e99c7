//! What files, variables and options give, and what is said about those that are wrong.

use std::io::Write;

use super::*;
use crate::config::FlushDiskType;

fn lines(text: &str) -> Vec<Assignment> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mut all = read_file(file.path()).unwrap();
    for assignment in &mut all {
        if let Source::File(path, _) = &mut assignment.at {
            *path = PathBuf::from("broker.conf");
        }
    }
    all
}

fn faults(text: &str, strict: bool) -> String {
    load(lines(text), Role::Broker, strict).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn every_default_is_a_value() {
    let mut settings = Settings::default();
    for key in keys() {
        assert_eq!(key.show(&Settings::default()), key.default, "{}", key.name);
        assert!((key.set)(&mut settings, key.default), "{}", key.name);
    }
    assert_eq!(settings, Settings::default());
    assert_eq!(conflicts(&settings), Vec::<String>::new());
}

#[test]
fn names_of_keys_are_unique_also_in_the_environment() {
    let mut names: Vec<String> = keys().map(|key| snake_case(key.name)).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn reads_a_broker_conf_as_java_does() {
    let text = "# a comment\nbrokerName = broker-b \n\nflushDiskType:ASYNC_FLUSH\nnum.partitions=\\\n  4\n";
    let loaded = load(lines(text), Role::Broker, true).unwrap();
    assert_eq!(loaded.settings.identity.broker_name, "broker-b");
    assert_eq!(loaded.settings.store.flush_disk_type, FlushDiskType::Async);
    assert_eq!(loaded.settings.kafka.num_partitions, 4);
    assert_eq!(loaded.sources["flushDiskType"], Source::File("broker.conf".into(), 4));
}

#[test]
fn says_file_line_key_and_what_is_allowed() {
    check_text(
        &faults("brokerName=b\nlistenPort=99999\nflushDiskType=sync\n", false),
        "broker.conf:2: listenPort=99999: not a value in port; allowed: 0 to 65535\n\
         broker.conf:3: flushDiskType=sync: not a value in text; allowed: SYNC_FLUSH or ASYNC_FLUSH",
    );
}

#[test]
fn warns_of_unknown_keys_with_the_nearest_name() {
    let loaded =
        load(lines("flushDiskTyp=ASYNC_FLUSH\nsendThreadPoolQueueCapacity=1\n"), Role::Broker, false)
            .unwrap();
    let notices: Vec<String> = loaded.notices.iter().map(Notice::to_string).collect();
    check_text(
        &notices.join("\n"),
        "broker.conf:1: unknown key flushDiskTyp; did you mean flushDiskType?\n\
         broker.conf:2: sendThreadPoolQueueCapacity is accepted and has no effect here",
    );
}

#[test]
fn strict_refuses_what_is_else_a_notice() {
    let all = faults("flushDiskTyp=ASYNC_FLUSH\nsendThreadPoolQueueCapacity=1\n", true);
    assert_eq!(all.lines().filter(|line| line.ends_with("(refused by --strict)")).count(), 2, "{all}");
}

#[test]
fn refuses_to_start_open_when_authentication_was_asked_for() {
    assert!(faults("aclEnable=true\n", false).contains("would leave the broker open"));
    assert!(load(lines("aclEnable=false\n"), Role::Broker, false).is_ok());
}

#[test]
fn refuses_values_that_do_not_fit_together() {
    let all = faults(
        "mappedFileSizeConsumeQueue=30\ndiskMaxUsedSpaceRatio=95\nstorePathCommitLog=/data/x\n",
        false,
    );
    assert_eq!(all.lines().count(), 3, "{all}");
}

#[test]
fn listen_port_of_a_name_server_file_is_the_name_servers() {
    let loaded = load(lines("listenPort=19876\n"), Role::Namesrv, true).unwrap();
    assert_eq!((loaded.settings.network.namesrv_port, loaded.settings.network.listen_port), (19876, 10911));
}

#[test]
fn the_environment_names_keys_in_snake_case() {
    let variables = [
        ("GANTRY_BROKER_IP1", "10.0.0.1"),
        ("GANTRY_NUM_PARTITIONS", " 3 "),
        ("PATH", "/bin"),
        ("GANTRY_KAFKA", "an option of commands, no key"),
        ("GANTRY_X", "1"),
    ];
    let all = from_environment(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
    let loaded = load(all, Role::Broker, false).unwrap();
    assert_eq!(loaded.settings.kafka.num_partitions, 3);
    assert_eq!(loaded.settings.identity.broker_ip1, Some([10, 0, 0, 1].into()));
    assert_eq!(loaded.notices.len(), 1);
}

#[test]
fn the_last_assignment_counts() {
    let loaded = load(lines("kafkaPort=1\nkafkaPort=2\n"), Role::Broker, true).unwrap();
    assert_eq!(loaded.settings.network.kafka_port, 2);
}

#[test]
fn a_missing_file_is_named() {
    let error = read_file(Path::new("/nowhere/broker.conf")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/broker.conf: cannot read the configuration: "), "{error}");
}

#[test]
fn a_malformed_escape_names_its_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"a=1\nb=\\u00\n").unwrap();
    let error = read_file(file.path()).unwrap_err().to_string();
    assert!(error.contains(":2: not a line of a properties file"), "{error}");
}

#[test]
fn finer_retention_keys_win() {
    let loaded = load(lines("log.retention.hours=2\nlog.retention.minutes=3\n"), Role::Broker, true).unwrap();
    assert_eq!(loaded.settings.kafka.retention_hours(), Some(1));
    let loaded = load(lines("log.retention.hours=2\nlog.retention.ms=-1\n"), Role::Broker, true).unwrap();
    assert_eq!(loaded.settings.kafka.retention_hours(), Some(u32::MAX));
    assert_eq!(Settings::default().kafka.retention_hours(), None);
}

#[track_caller]
fn check_text(actual: &str, expected: &str) {
    assert_eq!(actual, expected);
}
