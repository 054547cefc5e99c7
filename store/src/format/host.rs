//! A host as frames hold it: 4 or 16 address bytes and an int32 port, 8 or 20 bytes in all.
//!
//! The family is not part of these bytes; two bits of the frame's sysFlag tell it.
//! Source: RocketMQ 5.3.3 `common/message/MessageExt.java`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::be::Reader;

/// Bytes of an IPv4 host.
pub const V4_LEN: usize = 4 + 4;
/// Bytes of an IPv6 host.
pub const V6_LEN: usize = 16 + 4;

/// Address and port of a client or broker, as stored in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostAddr {
    /// IPv4 or IPv6 address.
    pub ip: IpAddr,
    /// The port as the int32 that stands on disk, so that any value is written back as it was read.
    pub port: i32,
}

impl HostAddr {
    /// 127.0.0.1 with port 0: what stands in frames the broker makes itself without an address.
    pub const LOCAL: HostAddr = HostAddr { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0 };

    /// How many bytes the host takes in a frame: 8 or 20.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        match self.ip {
            IpAddr::V4(_) => V4_LEN,
            IpAddr::V6(_) => V6_LEN,
        }
    }

    /// Appends the 8 or 20 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self.ip {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
        out.extend_from_slice(&self.port.to_be_bytes());
    }

    pub(super) fn read(reader: &mut Reader<'_>, v6: bool) -> Option<HostAddr> {
        let ip = if v6 {
            IpAddr::V6(Ipv6Addr::from(reader.array::<16>()?))
        } else {
            IpAddr::V4(Ipv4Addr::from(reader.array::<4>()?))
        };
        Some(HostAddr { ip, port: reader.i32()? })
    }
}

impl From<SocketAddr> for HostAddr {
    fn from(addr: SocketAddr) -> HostAddr {
        HostAddr { ip: addr.ip(), port: i32::from(addr.port()) }
    }
}

impl fmt::Display for HostAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}
