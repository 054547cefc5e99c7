//! Peer: requests that we send over remoting, to a name server or a broker, Java's or ours.
//!
//! One connection, one request at a time, blocking: for named threads and the command line, never for a task of
//! the runtime. Whatever the other side does, a call ends at its deadline and holds one frame at most. What a
//! code means stands with the caller. Source: RocketMQ 5.3.3 `remoting/netty/NettyRemotingClient.java`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use gantry_protocols::remoting::frame::{Frame, FrameError};
use gantry_protocols::remoting::header::{HeadEncodeError, HeaderDecodeError};
use gantry_protocols::remoting::headers::{CustomHeader, HeaderError};
use gantry_protocols::remoting::{Codec, Flag, Head, HeaderView, RequestCode, ResponseCode};

use crate::limits;

/// What one read asks the socket for.
const READ_SIZE: usize = 64 << 10;

/// A connection to another process that speaks remoting.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    address: String,
    timeout: Duration,
    input: BytesMut,
    last_opaque: i32,
}

/// Why a request has no answer. After any of them but `Refused` and `RequestTooLarge` the connection is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The name has no address.
    #[error("{address} is no address: {source}")]
    Address {
        /// As it was given, `host:port`.
        address: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nobody listens, or the way there is closed.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The other side was silent.
    #[error("{address} did not answer {code} within {} ms", timeout.as_millis())]
    TimedOut {
        /// `host:port`.
        address: String,
        /// What it was asked.
        code: RequestCode,
        /// How long.
        timeout: Duration,
    },
    /// The connection broke.
    #[error("the connection to {address} broke: {source}")]
    Io {
        /// `host:port`.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// It answered something else.
    #[error("{address} does not speak RocketMQ remoting: {source}")]
    Foreign {
        /// `host:port`.
        address: String,
        /// Why the bytes are no frame.
        source: FrameError,
    },
    /// It answered with a header that cannot be read.
    #[error("{address} sent a header that cannot be read: {source}")]
    Header {
        /// `host:port`.
        address: String,
        /// What is wrong with it.
        source: HeaderDecodeError,
    },
    /// The request would be larger than any peer takes.
    #[error("a request of {size} bytes is above the limit of {limit}", limit = limits::REMOTING_FRAME_SIZE)]
    RequestTooLarge {
        /// Bytes of the whole frame.
        size: usize,
    },
    /// The request has no form on the wire.
    #[error(transparent)]
    Encode(#[from] HeadEncodeError),
    /// It answered that it will not.
    #[error("{address} refused {request}: {code}{}", remark_text(remark))]
    Refused {
        /// `host:port`.
        address: String,
        /// What it was asked.
        request: RequestCode,
        /// Its answer.
        code: ResponseCode,
        /// Its words.
        remark: Option<String>,
    },
}

fn remark_text(remark: &Option<String>) -> String {
    remark.as_deref().map(|remark| format!(" ({remark})")).unwrap_or_default()
}

/// What the other side said.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its code.
    pub code: ResponseCode,
    /// Its words.
    pub remark: Option<String>,
    /// The named fields, in the order received.
    pub fields: Vec<(String, String)>,
    /// The body; empty when there is none.
    pub body: Bytes,
    header: Bytes,
    codec: Codec,
}

impl Reply {
    /// A named field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The named fields as one of the protocol's headers.
    ///
    /// # Errors
    /// When a mandatory field did not come or cannot be read.
    pub fn header<'r, H: CustomHeader<'r>>(&'r self) -> Result<H, ReplyError> {
        Ok(H::decode(&HeaderView::decode(self.codec, &self.header)?)?)
    }
}

/// Why the fields of an answer are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// The header cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderDecodeError),
    /// A field is missing or malformed.
    #[error(transparent)]
    Field(#[from] HeaderError),
}

/// A request without arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoHeader;

impl<'a> CustomHeader<'a> for NoHeader {
    fn decode(_: &HeaderView<'a>) -> Result<Self, HeaderError> {
        Ok(Self)
    }

    fn write(&self, _: &mut gantry_protocols::remoting::ext_writer::ExtWriter<'_>) {}
}

impl Peer {
    /// Connects to `address` (`host:port`). Blocks, at most for `timeout` once the resolver gave its answer;
    /// each later call has the same time.
    ///
    /// # Errors
    /// [`PeerError::Address`], [`PeerError::Connect`].
    pub fn connect(address: &str, timeout: Duration) -> Result<Self, PeerError> {
        let unknown = |source| PeerError::Address { address: address.to_owned(), source };
        let deadline = Instant::now() + timeout;
        let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for found in address.to_socket_addrs().map_err(unknown)? {
            match connect(found, deadline) {
                Ok(stream) => {
                    let address = address.to_owned();
                    return Ok(Self { stream, address, timeout, input: BytesMut::new(), last_opaque: 0 });
                }
                Err(error) => failure = error,
            }
        }
        Err(PeerError::Connect { address: address.to_owned(), source: failure })
    }

    /// Where it was connected to, as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// What the system says.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// Whether the connection stands, as far as this end has heard. Does not block.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let is_open = match peeked {
            Ok(ready) => ready != 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        is_open && self.stream.set_nonblocking(false).is_ok()
    }

    /// Sends a request and waits for its answer, whatever that says. Blocks, at most for the time given to
    /// [`Peer::connect`].
    ///
    /// # Errors
    /// [`PeerError`], but never `Refused`.
    pub fn invoke<'h>(
        &mut self,
        code: RequestCode,
        header: &impl CustomHeader<'h>,
        body: &[u8],
    ) -> Result<Reply, PeerError> {
        let deadline = Instant::now() + self.timeout;
        self.last_opaque = self.last_opaque.wrapping_add(1);
        let opaque = self.last_opaque;
        let mut frame = BytesMut::new();
        let head = Head::request(code, opaque, Flag::REQUEST);
        head.write(Codec::Json, body.len(), &mut frame, |ext| header.write(ext))?;
        let size = frame.len().saturating_add(body.len());
        if size > limits::REMOTING_FRAME_SIZE {
            return Err(PeerError::RequestTooLarge { size });
        }
        self.write(&frame, deadline).map_err(|error| self.failed(code, error))?;
        self.write(body, deadline).map_err(|error| self.failed(code, error))?;
        loop {
            let frame = self.read(code, deadline)?;
            let unreadable = |source| PeerError::Header { address: self.address.clone(), source };
            let view = HeaderView::of(&frame).map_err(unreadable)?;
            // Requests of the other side and answers that came too late are nobody's.
            if view.flag.is_response() && view.opaque == opaque {
                return Ok(reply(&frame, &view));
            }
        }
    }

    /// As [`Peer::invoke`], and anything but success is an error.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn ask<'h>(
        &mut self,
        code: RequestCode,
        header: &impl CustomHeader<'h>,
        body: &[u8],
    ) -> Result<Reply, PeerError> {
        let reply = self.invoke(code, header, body)?;
        if reply.code == ResponseCode::SUCCESS {
            return Ok(reply);
        }
        let address = self.address.clone();
        Err(PeerError::Refused { address, request: code, code: reply.code, remark: reply.remark })
    }

    fn write(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(left(deadline)?))?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next whole frame. Memory grows as bytes arrive, never by what a length field announces.
    fn read(&mut self, code: RequestCode, deadline: Instant) -> Result<Frame, PeerError> {
        loop {
            let split = Frame::split(&mut self.input, limits::REMOTING_FRAME_SIZE);
            let foreign = |source| PeerError::Foreign { address: self.address.clone(), source };
            if let Some(frame) = split.map_err(foreign)? {
                return Ok(frame);
            }
            self.fill(deadline).map_err(|error| self.failed(code, error))?;
        }
    }

    fn fill(&mut self, deadline: Instant) -> io::Result<()> {
        self.stream.set_read_timeout(Some(left(deadline)?))?;
        let at = self.input.len();
        self.input.resize(at + READ_SIZE, 0);
        let read = self.stream.read(self.input.get_mut(at..).unwrap_or_default());
        self.input.truncate(at + read.as_ref().ok().copied().unwrap_or(0));
        match read {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "the other side closed it")),
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn failed(&self, code: RequestCode, source: io::Error) -> PeerError {
        let address = self.address.clone();
        match source.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                PeerError::TimedOut { address, code, timeout: self.timeout }
            }
            _ => PeerError::Io { address, source },
        }
    }
}

fn connect(address: SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The time that is left; an error when there is none.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn reply(frame: &Frame, view: &HeaderView<'_>) -> Reply {
    let text = |value: gantry_protocols::remoting::ext::ExtValue<'_>| value.text().into_owned();
    Reply {
        code: view.response_code(),
        remark: view.remark.map(text),
        fields: view.ext.iter().map(|(key, value)| (text(key), text(value))).collect(),
        body: frame.body.clone(),
        header: frame.header.clone(),
        codec: frame.codec,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use gantry_protocols::remoting::headers::route::{KvConfigResponse, KvListRequest};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);
    const HURRY: Duration = Duration::from_millis(50);

    /// A listener that hands its one connection to `serve`.
    fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (address, std::thread::spawn(move || serve(listener.accept().unwrap().0)))
    }

    fn request(stream: &mut TcpStream) -> Frame {
        let mut received = BytesMut::new();
        loop {
            if let Some(frame) = Frame::split(&mut received, limits::REMOTING_FRAME_SIZE).unwrap() {
                return frame;
            }
            let mut chunk = [0; 1024];
            let read = stream.read(&mut chunk).unwrap();
            received.extend_from_slice(&chunk[..read]);
        }
    }

    fn answer(opaque: i32, code: ResponseCode, body: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        let header = KvConfigResponse { value: Some("v".into()) };
        let head = Head::response(code, opaque, Some("words"));
        head.write(Codec::Rocketmq, body.len(), &mut out, |ext| header.write(ext)).unwrap();
        out.extend_from_slice(body);
        out
    }

    #[test]
    fn gives_code_remark_fields_and_body_of_its_own_answer() {
        let (address, served) = server(|mut stream| {
            let asked = request(&mut stream);
            let view = HeaderView::of(&asked).unwrap();
            assert_eq!((view.code, &asked.body[..]), (RequestCode::GET_KVLIST_BY_NAMESPACE.0, &b"ask"[..]));
            assert_eq!(view.ext.find("namespace").unwrap().text(), "n");
            // An answer to somebody else and a request come first.
            stream.write_all(&answer(view.opaque + 1, ResponseCode::SYSTEM_ERROR, b"other")).unwrap();
            let mut noise = BytesMut::new();
            let head = Head::request(RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, view.opaque, Flag::ONEWAY);
            head.write(Codec::Json, 0, &mut noise, |_| {}).unwrap();
            stream.write_all(&noise).unwrap();
            stream.write_all(&answer(view.opaque, ResponseCode::SUCCESS, b"body")).unwrap();
        });
        let mut peer = Peer::connect(&address, PATIENCE).unwrap();
        let header = KvListRequest { namespace: "n".into() };
        let reply = peer.ask(RequestCode::GET_KVLIST_BY_NAMESPACE, &header, b"ask").unwrap();
        served.join().unwrap();
        assert_eq!((reply.code, reply.remark.as_deref()), (ResponseCode::SUCCESS, Some("words")));
        assert_eq!((reply.field("value"), &reply.body[..]), (Some("v"), &b"body"[..]));
        assert_eq!(reply.header::<KvConfigResponse<'_>>().unwrap().value.as_deref(), Some("v"));
    }

    #[test]
    fn a_refusal_is_an_answer_to_invoke_and_an_error_to_ask() {
        let (address, served) = server(|mut stream| {
            for _ in 0..2 {
                let opaque = HeaderView::of(&request(&mut stream)).unwrap().opaque;
                stream.write_all(&answer(opaque, ResponseCode::TOPIC_NOT_EXIST, b"")).unwrap();
            }
        });
        let mut peer = Peer::connect(&address, PATIENCE).unwrap();
        let reply = peer.invoke(RequestCode::GET_BROKER_CLUSTER_INFO, &NoHeader, b"").unwrap();
        assert_eq!(reply.code, ResponseCode::TOPIC_NOT_EXIST);
        let error = peer.ask(RequestCode::GET_BROKER_CLUSTER_INFO, &NoHeader, b"").unwrap_err();
        served.join().unwrap();
        assert!(matches!(&error, PeerError::Refused { code: ResponseCode::TOPIC_NOT_EXIST, .. }));
        assert!(error.to_string().contains("words"), "{error}");
    }

    fn failure(timeout: Duration, serve: impl FnOnce(TcpStream) + Send + 'static) -> PeerError {
        let (address, served) = server(serve);
        let mut peer = Peer::connect(&address, timeout).unwrap();
        let error = peer.invoke(RequestCode::GET_BROKER_CLUSTER_INFO, &NoHeader, b"").unwrap_err();
        drop(peer);
        served.join().unwrap();
        error
    }

    #[test]
    fn names_what_the_other_side_did_wrong() {
        let silent = failure(HURRY, |mut stream| while stream.read(&mut [0; 1024]).unwrap() != 0 {});
        assert!(matches!(silent, PeerError::TimedOut { .. }), "{silent}");
        let closed = failure(PATIENCE, |mut stream| drop(request(&mut stream)));
        assert!(matches!(closed, PeerError::Io { .. }), "{closed}");
        let http = failure(PATIENCE, |mut stream| {
            request(&mut stream);
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        });
        assert!(matches!(http, PeerError::Foreign { .. }), "{http}");
        let unreadable = failure(PATIENCE, |mut stream| {
            request(&mut stream);
            stream.write_all(b"\0\0\0\x06\0\0\0\x02[]").unwrap();
        });
        assert!(matches!(unreadable, PeerError::Header { .. }), "{unreadable}");
    }

    #[test]
    fn a_trickle_does_not_move_the_deadline() {
        let trickled = failure(HURRY, |mut stream| {
            request(&mut stream);
            let drop = Head::request(RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, 9, Flag::ONEWAY);
            let mut frame = BytesMut::new();
            drop.write(Codec::Json, 0, &mut frame, |_| {}).unwrap();
            while stream.write_all(&frame).is_ok() {}
        });
        assert!(matches!(trickled, PeerError::TimedOut { .. }), "{trickled}");
    }

    #[test]
    fn notices_that_the_other_side_closed() {
        let (close, closing) = std::sync::mpsc::channel::<()>();
        let (address, served) = server(move |stream| {
            let _ = closing.recv();
            drop(stream);
        });
        let peer = Peer::connect(&address, PATIENCE).unwrap();
        assert!(peer.is_open());
        close.send(()).unwrap();
        served.join().unwrap();
        assert!(!peer.is_open());
    }

    #[test]
    fn refuses_a_request_that_no_peer_takes() {
        let (address, served) = server(drop);
        let mut peer = Peer::connect(&address, PATIENCE).unwrap();
        let body = vec![0; limits::REMOTING_FRAME_SIZE];
        let error = peer.invoke(RequestCode::REGISTER_BROKER, &NoHeader, &body).unwrap_err();
        served.join().unwrap();
        assert!(matches!(error, PeerError::RequestTooLarge { .. }), "{error}");
    }

    #[test]
    fn says_that_nobody_listens_and_what_is_no_address() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let refused = Peer::connect(&free, PATIENCE).unwrap_err();
        assert!(matches!(refused, PeerError::Connect { .. }), "{refused}");
        for wrong in ["", "localhost", "host:port", "127.0.0.1:99999"] {
            let error = Peer::connect(wrong, PATIENCE).unwrap_err();
            assert!(matches!(error, PeerError::Address { .. }), "{wrong}: {error}");
        }
    }
}
