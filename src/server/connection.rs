//! Connection: one socket, one session, one task, written by hand as one future.
//!
//! Each turn writes what stands ready, lets the session answer what no longer waits, then reads. Reading stops
//! while the session or the output says so, which is the back-pressure: the peer's window fills, nobody fails.
//! There is no channel and no second task. An idle connection holds no read buffer.

use std::fmt;
use std::future::Future;
use std::io;
use std::io::IoSlice;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use gantry_protocols::outbox::{Outbox, SEGMENTS_PER_WRITE};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::memory::{Claim, ReadMemory};
use super::session::{Hangup, Session};
use super::shutdown::{Shutdown, Watch};
use crate::limits;

/// A connection that is being served; a future that ends with the reason.
pub(super) struct Connection {
    stream: TcpStream,
    session: Box<dyn Session>,
    input: BytesMut,
    /// Bytes that the next read makes room for.
    chunk: usize,
    claim: Claim,
    out: Outbox,
    /// The session may have left whole frames in `input`, because it or the output was full.
    stalled: bool,
    idle: Duration,
    last_traffic: Instant,
    timer: Pin<Box<Sleep>>,
    watch: Watch,
    /// Set when nothing is read any more: what stands in `out` is written, then the connection ends.
    ending: Option<End>,
    /// When an ending or stopping connection ends whatever is left to write.
    grace: Option<Instant>,
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The peer closed it.
    Closed,
    /// The peer closed it within a frame, after this many bytes of it.
    ClosedWithinFrame(usize),
    /// The session wants no more.
    Hangup(Hangup),
    /// No traffic for this long.
    Idle(Duration),
    /// The server stops.
    Stopped,
    /// The peer did not take its last answers in time.
    Unread(usize),
    /// The socket failed.
    Failed(io::Error),
    /// The session panicked.
    Panicked(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Closed => f.write_str("closed by the peer"),
            End::ClosedWithinFrame(size) => {
                write!(f, "closed by the peer within a frame, after {size} bytes")
            }
            End::Hangup(hangup) => f.write_str(&hangup.why),
            End::Idle(idle) => write!(f, "no traffic for {} s", idle.as_secs()),
            End::Stopped => f.write_str("the server stops"),
            End::Unread(size) => write!(f, "the peer left {size} bytes of answers unread"),
            End::Failed(error) => write!(f, "socket failed: {error}"),
            End::Panicked(what) => write!(f, "session panicked: {what}"),
        }
    }
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        session: Box<dyn Session>,
        idle: Duration,
        memory: Arc<ReadMemory>,
        shutdown: &Shutdown,
    ) -> Connection {
        let now = Instant::now();
        Connection {
            stream,
            session,
            input: BytesMut::new(),
            chunk: limits::READ_CHUNK_MIN,
            claim: Claim::new(memory, limits::READ_BUFFER_FREE),
            out: Outbox::new(),
            stalled: false,
            idle,
            last_traffic: now,
            timer: Box::pin(sleep_until(now + idle)),
            watch: shutdown.watch(),
            ending: None,
            grace: None,
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut budget = limits::READ_PER_TURN;
        loop {
            self.answer(cx);
            if let Err(end) = self.write(cx) {
                return Poll::Ready(end);
            }
            if self.out.is_empty()
                && let Some(end) = self.ending.take()
            {
                self.drop_input();
                return Poll::Ready(end);
            }
            // After the write and before the wait: both decide how long the wait may be.
            if let Poll::Ready(end) = self.watch_time(cx) {
                return Poll::Ready(end);
            }
            if !self.may_read() {
                return Poll::Pending;
            }
            if budget == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let received = if self.stalled { 0 } else { ready!(self.read(cx)) };
            budget = budget.saturating_sub(received);
            if self.ending.is_none() {
                self.receive();
            }
        }
    }

    /// Lets the session answer what no longer waits, and end what a stop ends.
    fn answer(&mut self, cx: &mut Context<'_>) {
        if self.ending.is_some() {
            return;
        }
        if let Err(hangup) = self.session.resume(cx.waker(), &mut self.out) {
            self.ending = Some(End::Hangup(hangup));
        } else if self.watch.sees_stop(cx.waker()) && !self.session.finishing(&mut self.out) {
            self.ending = Some(End::Stopped);
        }
    }

    /// Writes until nothing is left or the socket is full; then it wakes this task.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        while !self.out.is_empty() {
            let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
            let filled = self.out.segments(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            match Pin::new(&mut self.stream).poll_write_vectored(cx, slices) {
                Poll::Ready(Ok(0)) => return Err(End::Failed(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(sent)) => {
                    self.out.advance(sent);
                    self.last_traffic = Instant::now();
                }
                Poll::Ready(Err(error)) => return Err(End::Failed(error)),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Ready when the connection was idle, or ending, for too long; else the timer wakes this task.
    fn watch_time(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.grace.is_none() && (self.ending.is_some() || self.watch.sees_stop(cx.waker())) {
            self.grace = Some(Instant::now() + limits::CLOSE_GRACE);
        }
        let due = self.grace.unwrap_or(self.last_traffic + self.idle);
        if due < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(due);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if due <= Instant::now() {
                return Poll::Ready(self.end_of_time());
            }
            self.timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    fn end_of_time(&mut self) -> End {
        if self.grace.is_none() {
            return End::Idle(self.idle);
        }
        match self.ending.take() {
            None => End::Stopped,
            Some(end @ End::Hangup(_)) => end,
            Some(_) => End::Unread(self.out.len()),
        }
    }

    fn may_read(&mut self) -> bool {
        self.ending.is_none()
            && self.grace.is_none()
            && self.session.reads()
            && self.out.len() < limits::OUTPUT_PER_CONNECTION
    }

    /// Reads once and returns how much; at the end of the stream it sets `ending`.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if self.input.is_empty() {
            // No buffer stands by while nothing comes: wait for the socket first.
            match self.stream.poll_read_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return self.end_reading(End::Failed(error)),
                Poll::Pending => {
                    self.rest();
                    return Poll::Pending;
                }
            }
        }
        if self.input.capacity() - self.input.len() < self.chunk / 2 {
            ready!(self.grow(cx));
        }
        let room = self.input.capacity() - self.input.len();
        let read = pin!(self.stream.read_buf(&mut self.input)).poll(cx);
        match read {
            Poll::Ready(Ok(0)) if self.input.is_empty() => self.end_reading(End::Closed),
            Poll::Ready(Ok(0)) => self.end_reading(End::ClosedWithinFrame(self.input.len())),
            Poll::Ready(Ok(size)) => {
                self.last_traffic = Instant::now();
                self.adapt_chunk(size, room);
                Poll::Ready(size)
            }
            Poll::Ready(Err(error)) => self.end_reading(End::Failed(error)),
            Poll::Pending => {
                self.rest();
                Poll::Pending
            }
        }
    }

    fn end_reading(&mut self, end: End) -> Poll<usize> {
        self.ending = Some(end);
        Poll::Ready(0)
    }

    /// Makes room for one chunk, or waits until all connections together hold less.
    fn grow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.claim.fits(self.input.len() + self.chunk, cx.waker()) {
            return Poll::Pending;
        }
        self.input.reserve(self.chunk);
        self.claim.hold(self.input.capacity());
        Poll::Ready(())
    }

    /// Reads that fill their room get twice the room next time; small ones half.
    fn adapt_chunk(&mut self, size: usize, room: usize) {
        if size == room {
            self.chunk = (self.chunk * 2).min(limits::READ_CHUNK_MAX);
        } else if size < self.chunk / 4 {
            self.chunk = (self.chunk / 2).max(limits::READ_CHUNK_MIN);
        }
    }

    /// Nothing to read and nothing to write: give the buffers back.
    fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.claim.hold(0);
        }
        self.out.release();
    }

    /// Hands what was read to the session.
    fn receive(&mut self) {
        if let Err(hangup) = self.session.receive(&mut self.input, &mut self.out) {
            self.ending = Some(End::Hangup(hangup));
        }
        let full = !self.session.reads() || limits::OUTPUT_PER_CONNECTION <= self.out.len();
        self.stalled = full && !self.input.is_empty();
    }

    /// Takes what the peer still sent: a close with unread input would reset the last answer away.
    fn drop_input(&mut self) {
        let mut scratch = [0; 4096];
        let mut dropped = 0;
        while dropped < limits::DRAINED_AT_CLOSE {
            match self.stream.try_read(&mut scratch) {
                Ok(0) | Err(_) => return,
                Ok(size) => dropped += size,
            }
        }
    }
}

impl Future for Connection {
    type Output = End;

    /// A panic of the session ends this connection only.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let connection = self.get_mut();
        catch_unwind(AssertUnwindSafe(|| connection.turn(cx)))
            .unwrap_or_else(|panic| Poll::Ready(End::Panicked(message_of(&*panic))))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.session.closed())) {
            tracing::error!(error = message_of(&*panic), "session panicked while it closed");
        }
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests;
