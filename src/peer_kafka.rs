//! Kafka peer: requests that we send in Kafka's dialect, for what only Kafka knows.
//!
//! As [`crate::peer`]: one connection, one request at a time, blocking, for the command line. Versions are agreed
//! with ApiVersions when it connects. The answers are decoded by the crate without the guard that requests pass:
//! whoever dials an address trusts it to answer sensibly, one frame at most.
//! Source: Kafka 4.1 `NetworkClient.java`, KIP-511.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use gantry_protocols::kafka::messages::{
    ApiVersionsRequest, Decodable, Encodable, HeaderVersion, Request, RequestHeader, StrBytes,
};

use crate::limits;

const CLIENT_ID: StrBytes = StrBytes::from_static_str("gantry");
const LENGTH_LEN: usize = 4;
/// What one read asks the socket for.
const READ_SIZE: usize = 64 << 10;

/// A connection to a Kafka broker.
#[derive(Debug)]
pub struct KafkaPeer {
    stream: TcpStream,
    address: String,
    timeout: Duration,
    input: BytesMut,
    correlation: i32,
    versions: HashMap<i16, (i16, i16)>,
}

/// Why a request has no answer. After any of them but `NotServed` the connection is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KafkaPeerError {
    /// Nobody listens, or the name has no address.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The other side was silent.
    #[error("{address} did not answer key {key} within {} ms", timeout.as_millis())]
    TimedOut {
        /// `host:port`.
        address: String,
        /// What it was asked.
        key: i16,
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
    #[error("{address} does not speak Kafka")]
    Foreign {
        /// `host:port`.
        address: String,
    },
    /// It does not serve the key in a version that is known here.
    #[error("{address} does not serve Kafka key {key} in a version that is known here")]
    NotServed {
        /// `host:port`.
        address: String,
        /// The key.
        key: i16,
    },
    /// A field is set that the version does not have.
    #[error("the request does not fit key {key} version {version}")]
    Unfit {
        /// The key.
        key: i16,
        /// The version.
        version: i16,
    },
}

impl KafkaPeer {
    /// Connects to `address` (`host:port`) and asks which versions it serves. Blocks, at most for `timeout` each.
    ///
    /// # Errors
    /// [`KafkaPeerError`].
    pub fn connect(address: &str, timeout: Duration) -> Result<Self, KafkaPeerError> {
        let stream = dial(address, timeout)
            .map_err(|source| KafkaPeerError::Connect { address: address.to_owned(), source })?;
        let mut peer = Self {
            stream,
            address: address.to_owned(),
            timeout,
            input: BytesMut::new(),
            correlation: 0,
            versions: HashMap::from([(ApiVersionsRequest::KEY, (0, 0))]),
        };
        let (_, answer) = peer.call(0, |_| ApiVersionsRequest::default())?;
        let served = answer.api_keys.iter().map(|key| (key.api_key, (key.min_version, key.max_version)));
        peer.versions = served.collect();
        Ok(peer)
    }

    /// Where it was connected to, as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the other side advertises the key.
    #[must_use]
    pub fn serves(&self, key: i16) -> bool {
        self.versions.contains_key(&key)
    }

    /// Sends what `request` makes for the version, the newest that both sides know and at most `newest`, and waits
    /// for the answer. Blocks, at most for the time given to [`KafkaPeer::connect`].
    ///
    /// # Errors
    /// [`KafkaPeerError`].
    pub fn call<R: Request>(
        &mut self,
        newest: i16,
        request: impl FnOnce(i16) -> R,
    ) -> Result<(i16, R::Response), KafkaPeerError> {
        let key = R::KEY;
        let not_served = || KafkaPeerError::NotServed { address: self.address.clone(), key };
        let (low, high) = self.versions.get(&key).copied().ok_or_else(not_served)?;
        let version = newest.min(high);
        if version < low {
            return Err(not_served());
        }
        self.correlation = self.correlation.wrapping_add(1);
        let frame = encode(&request(version), version, self.correlation)
            .ok_or(KafkaPeerError::Unfit { key, version })?;
        let deadline = Instant::now() + self.timeout;
        self.write(&frame, deadline).map_err(|error| self.failed(key, error))?;
        let answer = self.read(key, deadline)?;
        let foreign = || KafkaPeerError::Foreign { address: self.address.clone() };
        let response = decode::<R>(answer, version, self.correlation).ok_or_else(foreign)?;
        Ok((version, response))
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

    /// The next frame without its length. Memory grows as bytes arrive.
    fn read(&mut self, key: i16, deadline: Instant) -> Result<Bytes, KafkaPeerError> {
        loop {
            if let Some(head) = self.input.first_chunk::<LENGTH_LEN>() {
                let length = usize::try_from(i32::from_be_bytes(*head)).ok();
                let length = length.filter(|length| *length <= limits::KAFKA_FRAME_SIZE);
                let length =
                    length.ok_or_else(|| KafkaPeerError::Foreign { address: self.address.clone() })?;
                if self.input.len() >= LENGTH_LEN + length {
                    self.input.advance(LENGTH_LEN);
                    return Ok(self.input.split_to(length).freeze());
                }
            }
            self.fill(deadline).map_err(|error| self.failed(key, error))?;
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

    fn failed(&self, key: i16, source: io::Error) -> KafkaPeerError {
        let address = self.address.clone();
        match source.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                KafkaPeerError::TimedOut { address, key, timeout: self.timeout }
            }
            _ => KafkaPeerError::Io { address, source },
        }
    }
}

fn dial(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for found in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&found, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The time that is left; an error when there is none.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn encode<R: Request>(request: &R, version: i16, correlation: i32) -> Option<BytesMut> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(CLIENT_ID));
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    header.encode(&mut frame, R::header_version(version)).ok()?;
    request.encode(&mut frame, version).ok()?;
    let length = i32::try_from(frame.len() - LENGTH_LEN).ok()?;
    frame.get_mut(..LENGTH_LEN)?.copy_from_slice(&length.to_be_bytes());
    Some(frame)
}

fn decode<R: Request>(mut answer: Bytes, version: i16, correlation: i32) -> Option<R::Response> {
    (answer.try_get_i32().ok()? == correlation).then_some(())?;
    // Nobody sends tags in a response header: their number is 0.
    if R::Response::header_version(version) >= 1 && answer.try_get_u8().ok()? != 0 {
        return None;
    }
    R::Response::decode(&mut answer, version).ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A listener that reads one request and answers with these bytes.
    fn connect_to(answer: &'static [u8], timeout: Duration) -> KafkaPeerError {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 64];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer).unwrap();
            if answer.is_empty() {
                while stream.read(&mut request).unwrap_or(0) != 0 {}
            }
        });
        let error = KafkaPeer::connect(&address, timeout).map(drop).unwrap_err();
        served.join().unwrap();
        error
    }

    #[test]
    fn names_what_the_other_side_did_wrong() {
        let http = connect_to(b"HTTP/1.1 400 Bad Request\r\n\r\n", PATIENCE);
        assert!(matches!(http, KafkaPeerError::Foreign { .. }), "{http}");
        let other = connect_to(b"\0\0\0\x06\0\0\0\x09\0\0", PATIENCE);
        assert!(matches!(other, KafkaPeerError::Foreign { .. }), "{other}");
        let silent = connect_to(b"", Duration::from_millis(50));
        assert!(matches!(silent, KafkaPeerError::TimedOut { .. }), "{silent}");
        let short = connect_to(b"\0\0", PATIENCE);
        assert!(matches!(short, KafkaPeerError::Io { .. }), "{short}");
    }

    #[test]
    fn says_that_nobody_listens() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let error = KafkaPeer::connect(&free, PATIENCE).map(drop).unwrap_err();
        assert!(matches!(error, KafkaPeerError::Connect { .. }), "{error}");
    }
}
