//! Run: from bound sockets to a stopped server. Owns every task it starts and joins all of them.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use super::admission::Admission;
use super::http::{self, Health, Opened, Status};
use super::listen::{Addresses, BrokerSockets, Sockets};
use super::memory::ReadMemory;
use super::metrics::ServerMetrics;
use super::port::{Port, Shared};
use super::session::Dialect;
use super::shutdown::{Shutdown, on_signals};
use crate::config::Settings;
use crate::limits;

/// Any error of the parts that the server starts.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// What stands behind the sockets. A socket without a dialect is closed.
pub struct Listeners {
    /// The name server.
    pub namesrv: Option<Dialect>,
    /// The RocketMQ broker, on its port and on the fast port.
    pub remoting: Option<Dialect>,
    /// Kafka.
    pub kafka: Option<Dialect>,
    /// Asked by `/readyz`.
    pub health: Arc<dyn Health>,
    /// Shown at `/metrics`, beside the server's own metrics.
    pub registry: Registry,
    /// Called when every connection is closed; may block.
    pub close: Box<dyn FnOnce() -> Result<(), AnyError> + Send>,
}

impl Listeners {
    fn is_empty(&self) -> bool {
        self.namesrv.is_none() && self.remoting.is_none() && self.kafka.is_none()
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners")
            .field("namesrv", &self.namesrv.is_some())
            .field("remoting", &self.remoting.is_some())
            .field("kafka", &self.kafka.is_some())
            .finish_non_exhaustive()
    }
}

/// Why the server did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Not one of the listeners has a dialect.
    #[error("no dialect is compiled in: there is nothing to serve")]
    NoDialect,
    /// No threads or no epoll.
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    /// A socket cannot be watched.
    #[error("cannot watch a listening socket: {0}")]
    Socket(io::Error),
    /// The store or a dialect could not be opened.
    #[error(transparent)]
    Open(AnyError),
    /// What opens the store panicked; the panic was printed.
    #[error("opening the store panicked")]
    OpenPanicked,
    /// What was to be done when ready failed.
    #[error(transparent)]
    Ready(AnyError),
    /// The store could not be closed cleanly: the next start recovers.
    #[error("not stopped cleanly, the next start recovers: {0}")]
    Close(AnyError),
}

/// Serves until `shutdown`, SIGINT or SIGTERM. Blocks.
///
/// `open` runs on a thread of its own, inside the runtime's context (it may spawn tasks), while HTTP already
/// answers; a stop does not wait for it. `ready` is called once every socket is being served. A store that can no
/// longer keep its promises calls `Shutdown::stop` and returns its error from `Listeners::close`.
///
/// # Errors
/// When it cannot start or not stop cleanly; what fails between is logged and survived.
pub fn run(
    sockets: Sockets,
    settings: &Settings,
    shutdown: &Shutdown,
    open: impl FnOnce() -> Result<Listeners, AnyError> + Send + 'static,
    ready: impl FnOnce(&Addresses) -> Result<(), AnyError>,
) -> Result<(), RunError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().thread_name("gantry-io").build().map_err(RunError::Runtime)?;
    let addresses = *sockets.addresses();
    let (close, result) = runtime.block_on(async {
        let mut server = Server::start(shutdown);
        let (close, result) = match server.serve(sockets, settings, open).await {
            Ok(Some(close)) => (Some(close), ready(&addresses).map_err(RunError::Ready)),
            Ok(None) => (None, Ok(())),
            Err(error) => (None, Err(error)),
        };
        if result.is_err() {
            shutdown.stop();
        }
        server.join().await;
        (close, result)
    });
    let _inside = runtime.enter();
    result.and(close.map_or(Ok(()), |close| close().map_err(RunError::Close)))
}

/// Closes the store after the last connection.
type Close = Box<dyn FnOnce() -> Result<(), AnyError> + Send>;

/// All tasks of the process, and what they share.
struct Server {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    signals: JoinHandle<()>,
}

impl Server {
    fn start(shutdown: &Shutdown) -> Server {
        let shared = Arc::new(Shared {
            admission: Admission::new(limits::CONNECTIONS, limits::CONNECTIONS_PER_ADDRESS),
            memory: ReadMemory::new(limits::READ_BUFFERS),
            shutdown: shutdown.clone(),
        });
        let signals = tokio::spawn(watch_signals(shutdown.clone()));
        Server { shared, tasks: JoinSet::new(), signals }
    }

    /// HTTP first, then the dialects once they are open; `None` when the stop came earlier.
    async fn serve(
        &mut self,
        sockets: Sockets,
        settings: &Settings,
        open: impl FnOnce() -> Result<Listeners, AnyError> + Send + 'static,
    ) -> Result<Option<Close>, RunError> {
        let Sockets { namesrv, broker, http, metrics, .. } = sockets;
        let status = self.serve_http([Some(http), metrics])?;
        let opening = on_thread(open).map_err(RunError::Runtime)?;
        let listeners = tokio::select! {
            opened = opening => opened.map_err(|_| RunError::OpenPanicked)?.map_err(RunError::Open)?,
            () = self.shared.shutdown.stopping() => return Ok(None),
        };
        if listeners.is_empty() {
            return Err(RunError::NoDialect);
        }
        let remoting_idle = Duration::from_secs(settings.network.remoting_idle_seconds);
        let kafka_idle = Duration::from_millis(settings.kafka.connections_max_idle_ms);
        self.serve_port("namesrv", namesrv, listeners.namesrv, remoting_idle)?;
        if let Some(BrokerSockets { remoting, fast, kafka }) = broker {
            self.serve_port("remoting", Some(remoting), listeners.remoting.clone(), remoting_idle)?;
            self.serve_port("fast", fast, listeners.remoting, remoting_idle)?;
            self.serve_port("kafka", Some(kafka), listeners.kafka, kafka_idle)?;
        }
        let _ = status.opened.set(Opened { health: listeners.health, registry: listeners.registry });
        Ok(Some(listeners.close))
    }

    fn serve_http(&mut self, sockets: [Option<std::net::TcpListener>; 2]) -> Result<Arc<Status>, RunError> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ServerMetrics(Arc::clone(&self.shared))));
        let shutdown = self.shared.shutdown.clone();
        let status = Arc::new(Status { registry, opened: OnceLock::new(), shutdown });
        for socket in sockets.into_iter().flatten() {
            let listener = TcpListener::from_std(socket).map_err(RunError::Socket)?;
            self.tasks.spawn(http::serve(listener, Arc::clone(&status)));
        }
        Ok(status)
    }

    fn serve_port(
        &mut self,
        name: &'static str,
        socket: Option<std::net::TcpListener>,
        dialect: Option<Dialect>,
        idle: Duration,
    ) -> Result<(), RunError> {
        let (Some(socket), Some(dialect)) = (socket, dialect) else {
            return Ok(());
        };
        let listener = TcpListener::from_std(socket).map_err(RunError::Socket)?;
        let port = Port { name, dialect, idle, shared: Arc::clone(&self.shared) };
        self.tasks.spawn(port.accept_all(listener));
        Ok(())
    }

    async fn join(mut self) {
        while self.tasks.join_next().await.is_some() {}
        self.signals.abort();
    }
}

/// Runs what blocks on a named thread; the answer is missing when it panicked.
fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::Builder::new().name("gantry-open".to_owned());
    let runtime = Handle::current();
    thread.spawn(move || {
        let _inside = runtime.enter();
        sender.send(work())
    })?;
    Ok(receiver)
}

async fn watch_signals(shutdown: Shutdown) {
    if let Err(error) = on_signals(shutdown).await {
        tracing::error!(%error, "cannot watch SIGINT and SIGTERM; they will end the process at once");
    }
}

#[cfg(test)]
mod tests;
