//! HTTP: `/healthz` (the process answers), `/readyz` (it serves; else 503 with the reasons) and `/metrics` in the
//! Prometheus text format, on the main HTTP port and on the second metrics port. It answers while the store is
//! still being opened, so that a long recovery is not taken for a dead process.

use std::fmt::Write as _;
use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::admission::{Admission, Permit};
use super::shutdown::Shutdown;
use crate::limits;

/// Whether the broker serves.
pub trait Health: Send + Sync {
    /// Why it does not, one line each; empty when it does. Never blocks.
    fn reasons(&self) -> Vec<String>;
}

/// What the handlers read.
pub(super) struct Status {
    /// The server's own metrics.
    pub(super) registry: Registry,
    /// Set when the store is open.
    pub(super) opened: OnceLock<Opened>,
    pub(super) shutdown: Shutdown,
}

/// What the broker adds once it is there.
pub(super) struct Opened {
    pub(super) health: Arc<dyn Health>,
    pub(super) registry: Registry,
}

/// Serves one port until the stop.
pub(super) async fn serve(listener: TcpListener, status: Arc<Status>) {
    let shutdown = status.shutdown.clone();
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(status);
    let admission = Admission::new(limits::HTTP_CONNECTIONS, limits::HTTP_CONNECTIONS);
    let port = Port { listener, admission };
    let stopping = shutdown.clone();
    let server = axum::serve(port, router).with_graceful_shutdown(async move { stopping.stopping().await });
    // The server waits for requests that are being answered; a peer that never finishes one cannot hold the stop.
    let bounded = async {
        shutdown.stopping().await;
        let _ = timeout(limits::CLOSE_GRACE, std::future::pending::<()>()).await;
    };
    tokio::select! {
        result = server.into_future() => if let Err(error) = result {
            tracing::error!(%error, "HTTP port failed");
        },
        () = bounded => {}
    }
}

async fn ready(State(status): State<Arc<Status>>) -> (StatusCode, String) {
    let opening = || vec!["the store is being opened".to_owned()];
    let mut reasons = status.opened.get().map_or_else(opening, |opened| opened.health.reasons());
    if status.shutdown.is_stopping() {
        reasons.push("the server stops".to_owned());
    }
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let mut text = String::new();
    for reason in reasons {
        let _ = writeln!(text, "{reason}");
    }
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

async fn metrics(State(status): State<Arc<Status>>) -> impl IntoResponse {
    const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut text = String::new();
    match write_metrics(&mut text, &status) {
        Ok(()) => ([(header::CONTENT_TYPE, FORMAT)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn write_metrics(text: &mut String, status: &Status) -> std::fmt::Result {
    encode_registry(text, &status.registry)?;
    if let Some(opened) = status.opened.get() {
        encode_registry(text, &opened.registry)?;
    }
    encode_eof(text)
}

/// A port that survives failed accepts and refuses connections over the limit.
struct Port {
    listener: TcpListener,
    admission: Arc<Admission>,
}

impl axum::serve::Listener for Port {
    type Io = Admitted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Admitted, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, remote)) => {
                    if let Ok(permit) = self.admission.admit("http", remote.ip()) {
                        return (Admitted { stream, _permit: permit }, remote);
                    }
                }
                Err(_) => tokio::time::sleep(limits::ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A stream with its place among the connections.
struct Admitted {
    stream: TcpStream,
    _permit: Permit,
}

impl AsyncRead for Admitted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Admitted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
