//! Ready file: a JSON object with the pid and every address, written when all of them answer.
//!
//! Whoever starts Gantry on free ports waits for this file and reads the ports from it. It appears complete or
//! not at all (temporary name, then rename) and is removed at the stop.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::listen::{Addresses, dialable};

/// The file of this process; removed when dropped.
#[derive(Debug)]
pub struct ReadyFile(PathBuf);

/// The file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the ready file {}: {source}", path.display())]
pub struct ReadyFileError {
    path: PathBuf,
    source: io::Error,
}

#[derive(Serialize)]
struct Ready {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    namesrv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remoting: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kafka: Option<String>,
    http: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<String>,
}

impl ReadyFile {
    /// Writes `path` in one step. Blocks for a few file calls.
    ///
    /// # Errors
    /// When the directory is missing or not writable.
    pub fn write(path: &Path, addresses: &Addresses) -> Result<ReadyFile, ReadyFileError> {
        let text = |address| dialable(address).to_string();
        let ready = Ready {
            pid: std::process::id(),
            namesrv: addresses.namesrv.map(text),
            remoting: addresses.broker.map(|broker| text(broker.remoting)),
            kafka: addresses.broker.map(|broker| text(broker.kafka)),
            http: text(addresses.http),
            vip: addresses.broker.and_then(|broker| broker.fast).map(text),
            metrics: addresses.metrics.map(text),
        };
        let failed = |source| ReadyFileError { path: path.to_owned(), source };
        let mut json = serde_json::to_vec(&ready).map_err(|error| failed(error.into()))?;
        json.push(b'\n');
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        fs::write(&temporary, json).map_err(failed)?;
        fs::rename(&temporary, path).map_err(failed)?;
        Ok(ReadyFile(path.to_owned()))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "cannot remove the ready file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::BrokerAddresses;

    #[test]
    fn holds_every_address_and_goes_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ready.json");
        let address = |port| format!("0.0.0.0:{port}").parse().unwrap();
        let broker = BrokerAddresses { remoting: address(4), fast: Some(address(2)), kafka: address(5) };
        let addresses =
            Addresses { namesrv: Some(address(1)), broker: Some(broker), http: address(6), metrics: None };
        let file = ReadyFile::write(&path, &addresses).unwrap();
        let pid = std::process::id();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!(
                "{{\"pid\":{pid},\"namesrv\":\"127.0.0.1:1\",\"remoting\":\"127.0.0.1:4\",\
                 \"kafka\":\"127.0.0.1:5\",\"http\":\"127.0.0.1:6\",\"vip\":\"127.0.0.1:2\"}}\n"
            )
        );
        drop(file);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let address = "127.0.0.1:1".parse().unwrap();
        let addresses = Addresses { namesrv: Some(address), broker: None, http: address, metrics: None };
        let error = ReadyFile::write(Path::new("/nowhere/ready"), &addresses).unwrap_err();
        assert!(error.to_string().starts_with("cannot write the ready file /nowhere/ready: "));
    }
}
