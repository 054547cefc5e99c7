//! The process as the system sees it, mostly under the names that every Prometheus client library uses.
//! Source: Linux `/proc/self/status`, `/proc/self/fd`; absent where there is no `/proc`.

use std::fmt;
use std::fs;

use super::rows::Rows;

/// Memory of the process, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Memory {
    resident: u64,
    /// Of that, what no file backs.
    anonymous: u64,
    /// Of that, pages of files: the log's among them, which the system takes back when it needs them.
    file: u64,
}

/// Writes what the system tells.
pub(super) fn write(rows: &mut Rows<'_, '_>) -> fmt::Result {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let memory = Memory::parse(&status);
        let resident = memory.resident as i64;
        rows.gauge("process_resident_memory_bytes", "Resident memory of the process", resident)?;
        let kinds = [("anonymous", memory.anonymous), ("file", memory.file)];
        let kinds = kinds.map(|(kind, bytes)| (vec![("kind", kind)], bytes as i64));
        rows.gauges("gantry_resident_memory_bytes", "Resident memory by what backs it", kinds)?;
        rows.gauge("process_threads", "Threads of the process", field(&status, "Threads") as i64)?;
    }
    if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
        let seconds = cpu_ticks(&stat) as f64 / TICKS_PER_SECOND;
        rows.counters("process_cpu_seconds", "User and system time of the process", [(Vec::new(), seconds)])?;
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        rows.gauge("process_open_fds", "Open file descriptors", descriptors.count() as i64)?;
    }
    Ok(())
}

/// Linux counts in `USER_HZ`, which is 100 on every architecture that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time: the 14th and 15th field, counted behind the name, which may hold anything.
fn cpu_ticks(stat: &str) -> u64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_ascii_whitespace().skip(11).take(2);
    ticks.filter_map(|field| field.parse::<u64>().ok()).sum()
}

impl Memory {
    fn parse(status: &str) -> Memory {
        let bytes = |name| field(status, name) * 1024;
        Memory { resident: bytes("VmRSS"), anonymous: bytes("RssAnon"), file: bytes("RssFile") }
    }
}

/// The number behind `name:`; 0 when it is not there.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_system_s_kilobytes() {
        let status = "Name:\tgantry\nVmRSS:\t   20 kB\nRssAnon:\t  12 kB\nRssFile:\t   8 kB\nThreads:\t7\n";
        let memory = Memory { resident: 20_480, anonymous: 12_288, file: 8_192 };
        assert_eq!(Memory::parse(status), memory);
        assert_eq!(field(status, "Threads"), 7);
        assert_eq!(Memory::parse(""), Memory::default());
        assert_eq!(cpu_ticks("7 (a b) c) S 1 7 7 0 -1 0 1 2 3 4 50 6 7 8"), 56);
    }
}
