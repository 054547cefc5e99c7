//! Sockets: listeners, connections, HTTP, start and stop. It moves bytes and keeps the limits; what bytes mean
//! is the sessions' part (`session`), and nothing here knows a frame or a code.

mod admission;
mod clock;
mod connection;
pub mod dialects;
mod http;
mod listen;
mod memory;
mod metrics;
mod port;
mod progress;
mod ready_file;
mod run;
mod session;
mod shutdown;

pub use clock::Clock;
pub use http::Health;
pub use listen::{Addresses, BindError, BrokerAddresses, Roles, Sockets, bind, dialable};
pub use metrics::broker_metrics;
pub use progress::Progress;
pub use ready_file::{ReadyFile, ReadyFileError};
pub use run::{AnyError, Listeners, RunError, run};
pub use session::{Dialect, Hangup, Peer, Session};
pub use shutdown::Shutdown;
