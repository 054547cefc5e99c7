//! The JSON shapes that several of RocketMQ's state files share.

use serde::{Deserialize, Serialize};

use crate::semantics::Millis;
use crate::semantics::data_version::DataVersion;

/// `dataVersion` of a state file.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DataVersionJson {
    counter: i64,
    state_version: i64,
    timestamp: i64,
}

impl From<DataVersion> for DataVersionJson {
    fn from(version: DataVersion) -> Self {
        Self {
            counter: version.counter,
            state_version: version.state_version,
            timestamp: version.timestamp.0,
        }
    }
}

impl From<DataVersionJson> for DataVersion {
    fn from(json: DataVersionJson) -> Self {
        Self { state_version: json.state_version, timestamp: Millis(json.timestamp), counter: json.counter }
    }
}
