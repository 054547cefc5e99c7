//! A table of texts: runtime state of a broker (28), key-value configuration (219), answer of a registration.
//!
//! Source: RocketMQ 5.3.3 `protocol/body/KVTable.java`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Texts by name, in the order written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KvTable {
    /// The texts.
    pub table: IndexMap<String, String>,
}
