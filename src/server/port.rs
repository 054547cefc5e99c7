//! Port: the accept loop of one listener. It owns the tasks of its connections and joins them at the stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::admission::{Admission, Permit};
use super::connection::{Connection, End};
use super::memory::ReadMemory;
use super::session::{Dialect, Peer};
use super::shutdown::Shutdown;
use crate::limits;

/// What all ports share.
pub(super) struct Shared {
    pub(super) admission: Arc<Admission>,
    pub(super) memory: Arc<ReadMemory>,
    pub(super) shutdown: Shutdown,
}

/// One listening port and what its connections speak.
pub(super) struct Port {
    pub(super) name: &'static str,
    pub(super) dialect: Dialect,
    pub(super) idle: Duration,
    pub(super) shared: Arc<Shared>,
}

impl Port {
    /// Accepts until the stop, then waits for the last connection. Survives want of descriptors.
    pub(super) async fn accept_all(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        let mut stopping = std::pin::pin!(self.shared.shutdown.stopping());
        loop {
            tokio::select! {
                () = &mut stopping => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, remote)) => self.admit(stream, remote, &mut connections),
                    Err(error) => self.pause(&error).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    fn admit(&self, stream: TcpStream, remote: SocketAddr, connections: &mut JoinSet<()>) {
        match self.shared.admission.admit(self.name, remote.ip()) {
            Ok(permit) => {
                connections.spawn(self.serve(stream, remote, permit));
            }
            Err(refused) => {
                if let Some(count) = self.shared.admission.refusals_to_log(Instant::now()) {
                    tracing::warn!(listener = self.name, %remote, count, reason = %refused, "connections refused");
                }
            }
        }
    }

    /// A connection that the peer gave up is not our failure; anything else waits for descriptors or memory.
    async fn pause(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionAborted {
            return;
        }
        tracing::warn!(listener = self.name, %error, "cannot accept a connection; trying again");
        tokio::time::sleep(limits::ACCEPT_PAUSE).await;
    }

    fn serve(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
        permit: Permit,
    ) -> impl Future<Output = ()> + use<> {
        let connection = self.connect(stream, remote);
        let name = self.name;
        async move {
            match connection {
                Ok(connection) => log(name, remote, &connection.await),
                Err(error) => log(name, remote, &End::Failed(error)),
            }
            drop(permit);
        }
    }

    fn connect(&self, stream: TcpStream, remote: SocketAddr) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        let session = (self.dialect)(Peer { remote, local: stream.local_addr()? });
        let memory = Arc::clone(&self.shared.memory);
        Ok(Connection::new(stream, session, self.idle, memory, &self.shared.shutdown))
    }
}

/// The one line about a connection's end.
fn log(listener: &'static str, remote: SocketAddr, end: &End) {
    match end {
        End::Panicked(_) => tracing::error!(listener, %remote, reason = %end, "connection ended"),
        End::Hangup(hangup) if hangup.notable => {
            tracing::warn!(listener, %remote, reason = %end, "connection ended");
        }
        _ => tracing::debug!(listener, %remote, reason = %end, "connection ended"),
    }
}
