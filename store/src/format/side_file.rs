//! The envelope of our own side files, which stand in `gantry/` beside RocketMQ's files and which Java ignores.
//!
//! |  0 | 8 | magic   | eight ASCII characters, one word a kind of file |
//! |  8 | 2 | version | of the payload's layout                         |
//! | 10 | 4 | length  | bytes of the payload                            |
//! | 14 | n | payload |                                                 |
//! |    | 4 | CRC-32  | over everything before it                       |
//!
//! What the payload means is the business of the file that owns its magic.

use super::be::Reader;

/// Bytes before the payload.
pub const HEAD_LEN: usize = 8 + 2 + 4;
/// Bytes behind the payload.
pub const CRC_LEN: usize = 4;

/// The payload of a side file and the version of its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SideFile<'a> {
    /// Version of the payload's layout.
    pub version: u16,
    /// The payload.
    pub payload: &'a [u8],
}

/// Why bytes are no side file of the kind that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SideFileError {
    /// The bytes end too early.
    #[error("side file is cut after {available} bytes")]
    Truncated {
        /// Bytes there are.
        available: usize,
    },
    /// It is a file of another kind.
    #[error("side file begins with {magic:?}, which is another kind of file")]
    Magic {
        /// What stands there.
        magic: [u8; 8],
    },
    /// Bytes behind the checksum.
    #[error("{surplus} bytes behind the end of the side file")]
    Surplus {
        /// How many.
        surplus: usize,
    },
    /// The content is not what was written.
    #[error("side file checksum is {computed:#010x}, the file says {stored:#010x}")]
    Crc {
        /// What stands in the file.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// The payload is larger than the length field can say.
    #[error("payload of {len} bytes is too long for a side file")]
    TooLong {
        /// Bytes of the payload.
        len: usize,
    },
}

/// The bytes of a whole side file.
///
/// # Errors
/// [`SideFileError::TooLong`] for a payload of 4 GiB or more.
pub fn encode(magic: [u8; 8], version: u16, payload: &[u8]) -> Result<Vec<u8>, SideFileError> {
    let length = u32::try_from(payload.len()).map_err(|_| SideFileError::TooLong { len: payload.len() })?;
    let mut file = Vec::with_capacity(HEAD_LEN + payload.len() + CRC_LEN);
    file.extend_from_slice(&magic);
    file.extend_from_slice(&version.to_be_bytes());
    file.extend_from_slice(&length.to_be_bytes());
    file.extend_from_slice(payload);
    let crc = crc32fast::hash(&file);
    file.extend_from_slice(&crc.to_be_bytes());
    Ok(file)
}

/// The payload of a side file of the kind `magic`, its checksum compared. The caller judges the version.
///
/// # Errors
/// Any difference from what [`encode`] writes.
pub fn decode(magic: [u8; 8], file: &[u8]) -> Result<SideFile<'_>, SideFileError> {
    let truncated = SideFileError::Truncated { available: file.len() };
    let mut reader = Reader::new(file);
    let found = reader.array::<8>().ok_or(truncated)?;
    if found != magic {
        return Err(SideFileError::Magic { magic: found });
    }
    let version = reader.array().map(u16::from_be_bytes).ok_or(truncated)?;
    let length = reader.array().map(u32::from_be_bytes).ok_or(truncated)?;
    let payload = usize::try_from(length).ok().and_then(|len| reader.bytes(len)).ok_or(truncated)?;
    let stored = reader.array().map(u32::from_be_bytes).ok_or(truncated)?;
    if !reader.rest().is_empty() {
        return Err(SideFileError::Surplus { surplus: reader.rest().len() });
    }
    let computed = crc32fast::hash(file.get(..HEAD_LEN + payload.len()).ok_or(truncated)?);
    if stored == computed {
        Ok(SideFile { version, payload })
    } else {
        Err(SideFileError::Crc { stored, computed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: [u8; 8] = *b"GNTYTEST";

    #[test]
    fn reads_what_it_wrote() {
        let file = encode(MAGIC, 3, b"payload").unwrap();
        assert_eq!(decode(MAGIC, &file), Ok(SideFile { version: 3, payload: b"payload" }));
    }

    #[test]
    fn rejects_every_truncation_and_every_flipped_bit() {
        let file = encode(MAGIC, 1, b"payload").unwrap();
        for len in 0..file.len() {
            assert!(decode(MAGIC, &file[..len]).is_err(), "{len}");
        }
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(MAGIC, &damaged).is_err(), "{bit}");
        }
    }

    #[test]
    fn rejects_bytes_behind_the_end() {
        let mut file = encode(MAGIC, 1, b"").unwrap();
        file.push(0);
        assert_eq!(decode(MAGIC, &file), Err(SideFileError::Surplus { surplus: 1 }));
    }
}
