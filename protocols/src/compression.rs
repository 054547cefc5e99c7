//! Compression codecs of both dialects behind one output cap.
//!
//! Used for Kafka batches (gzip, snappy, lz4, zstd) and RocketMQ bodies (zlib, lz4, zstd). No decoder reserves more
//! than the cap or writes beyond it, whatever the input claims, so a few kilobytes cannot become a gigabyte.
//! Not here: which codec a batch or message names; that is `kafka::batch` and the message's flags.
//!
//! Snappy is written in xerial framing as the Java clients do: 16 bytes of head, then blocks of a 4-byte big-endian
//! length and raw snappy. Raw snappy without framing is accepted when reading (librdkafka and others send it).
//! Source: Kafka 4.1 `compress/`, xerial snappy-java `SnappyOutputStream`, RocketMQ 5.3.3 `common/compression/`.

use std::io::{self, Read, Write};

use thiserror::Error;

/// A compressed format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One or more gzip members.
    Gzip,
    /// One zlib stream (RocketMQ's default).
    Zlib,
    /// Snappy: xerial framing when writing; xerial or raw when reading.
    Snappy,
    /// One LZ4 frame, with independent 64 KiB blocks when writing.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

/// Why an input was not decompressed; the output is then as it was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecompressError {
    /// The output would exceed the cap.
    #[error("decompressed data exceeds {cap} bytes")]
    TooLarge {
        /// Largest output allowed, in bytes.
        cap: usize,
    },
    /// The input is not in the format, is cut short, or goes on behind its end.
    #[error("malformed {0:?} data")]
    Malformed(Format),
}

/// The encoder failed; it has no input it may refuse, so this means memory or a library fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("compression with {0:?} failed")]
pub struct CompressError(pub Format);

/// Appends the decompressed `input` to `out`, at most `cap` bytes. Blocks for the time of the work only.
///
/// # Errors
/// `TooLarge` beyond `cap`, `Malformed` otherwise; `out` is cut back to its former length.
pub fn decompress(
    format: Format,
    input: &[u8],
    cap: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let start = out.len();
    let done = decompress_some(format, input, cap, out);
    if done.is_err() {
        out.truncate(start);
    }
    done
}

fn decompress_some(
    format: Format,
    input: &[u8],
    cap: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    let malformed = DecompressError::Malformed(format);
    let mut input = input;
    match format {
        Format::Gzip => drain(flate2::bufread::MultiGzDecoder::new(&mut input), format, cap, out)?,
        Format::Zlib => drain(flate2::bufread::ZlibDecoder::new(&mut input), format, cap, out)?,
        Format::Snappy => return snappy(input, cap, out),
        Format::Lz4 => return lz4_frame(input, cap, out),
        Format::Zstd => return zstd_frames(input, cap, out),
    }
    // The zlib decoder stops at the end of its stream; gzip reads members to the end of the input.
    if format == Format::Zlib && !input.is_empty() { Err(malformed) } else { Ok(()) }
}

/// Reads all of `source`, one byte beyond the cap at most. The vector grows with what really comes out.
fn drain(source: impl Read, format: Format, cap: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let start = out.len();
    let limit = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    source.take(limit).read_to_end(out).map_err(|_| DecompressError::Malformed(format))?;
    if out.len() - start > cap { Err(DecompressError::TooLarge { cap }) } else { Ok(()) }
}

/// One LZ4 frame, its end found first: the library's decoder takes a missing end for the end. Java writes one frame
/// and Kafka reads one; a chain of tiny frames would only buy an attacker a fresh decoder each.
fn lz4_frame(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    if lz4_frame_len(input) != Some(input.len()) {
        return Err(DecompressError::Malformed(Format::Lz4));
    }
    drain(lz4_flex::frame::FrameDecoder::new(input), Format::Lz4, cap, out)
}

/// `ZSTD_error_dstSize_tooSmall` (70), as the library returns it; its error codes are stable.
const ZSTD_OUTPUT_TOO_SMALL: usize = 70_usize.wrapping_neg();

/// Zstandard frames, straight into the output. The streaming decoder would first reserve the window that a frame's
/// head names: up to 128 MiB for a dozen bytes. Java's encoder names large windows at high levels even for small
/// inputs, so they cannot be refused either.
fn zstd_frames(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let malformed = DecompressError::Malformed(Format::Zstd);
    let bound = zstd::zstd_safe::decompress_bound(input).map_err(|_| malformed)?;
    let bound = usize::try_from(bound).unwrap_or(usize::MAX);
    let mut plain = Vec::with_capacity(bound.min(cap));
    match zstd::zstd_safe::decompress(&mut plain, input) {
        Ok(_) => out.extend_from_slice(&plain),
        Err(ZSTD_OUTPUT_TOO_SMALL) if bound > cap => return Err(DecompressError::TooLarge { cap }),
        Err(_) => return Err(malformed),
    }
    Ok(())
}

/// `0x184D2204`, little-endian.
const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// Bits of the frame's flag byte.
const LZ4_BLOCKS_INDEPENDENT: u8 = 0x20;
const LZ4_BLOCK_CHECKSUMS: u8 = 0x10;
const LZ4_CONTENT_SIZE: u8 = 0x08;
const LZ4_CONTENT_CHECKSUM: u8 = 0x04;
const LZ4_DICTIONARY_ID: u8 = 0x01;

/// Whether blocks of the LZ4 frame at the start of `input` lean on those before them, which Kafka's Java clients refuse
/// to read (`Lz4BlockInputStream`). Looks at the frame's head only.
pub fn lz4_blocks_are_linked(input: &[u8]) -> bool {
    let flags = input.strip_prefix(&LZ4_MAGIC).and_then(<[u8]>::first);
    flags.is_some_and(|flags| flags & LZ4_BLOCKS_INDEPENDENT == 0)
}

/// Bytes of the frame at the start of `input`: head, blocks, end mark, checksum. `None`: cut short or no frame.
fn lz4_frame_len(input: &[u8]) -> Option<usize> {
    let flags = *input.strip_prefix(&LZ4_MAGIC)?.first()?;
    let optional = |bit, bytes| if flags & bit == 0 { 0 } else { bytes };
    let block_checksum = optional(LZ4_BLOCK_CHECKSUMS, 4);
    // Magic, flags, block size, content size, dictionary id, head checksum.
    let mut at = 4 + 1 + 1 + optional(LZ4_CONTENT_SIZE, 8) + optional(LZ4_DICTIONARY_ID, 4) + 1;
    loop {
        let block = u32::from_le_bytes(*input.get(at..)?.first_chunk()?);
        at += 4;
        if block == 0 {
            return Some(at + optional(LZ4_CONTENT_CHECKSUM, 4));
        }
        at += usize::try_from(block & 0x7fff_ffff).ok()? + block_checksum;
    }
}

/// `0x82 SNAPPY 0x00`, then two 4-byte versions.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Version written and lowest compatible version, both 1.
const XERIAL_VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// Uncompressed bytes of one xerial block, as snappy-java's default.
const XERIAL_BLOCK: usize = 32 * 1024;
/// No snappy input expands more: a copy of three bytes yields at most 64.
const SNAPPY_MAX_RATIO: usize = 22;

fn snappy(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let malformed = DecompressError::Malformed(Format::Snappy);
    let Some(framed) = input.strip_prefix(&XERIAL_MAGIC) else {
        return snappy_block(input, cap, out);
    };
    let (_versions, mut blocks) = framed.split_first_chunk::<8>().ok_or(malformed)?;
    let start = out.len();
    while !blocks.is_empty() {
        let (length, rest) = blocks.split_first_chunk::<4>().ok_or(malformed)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| malformed)?;
        let (block, rest) = rest.split_at_checked(length).ok_or(malformed)?;
        let used = out.len() - start;
        snappy_block(block, cap - used, out).map_err(|error| at_cap(error, cap))?;
        blocks = rest;
    }
    Ok(())
}

/// One raw snappy block. Its length prefix is believed only as far as the cap and the format's ratio allow.
fn snappy_block(block: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let malformed = DecompressError::Malformed(Format::Snappy);
    let length = snap::raw::decompress_len(block).map_err(|_| malformed)?;
    if length > cap {
        return Err(DecompressError::TooLarge { cap });
    }
    if length > block.len().saturating_mul(SNAPPY_MAX_RATIO) {
        return Err(malformed);
    }
    let start = out.len();
    out.resize(start + length, 0);
    let target = out.get_mut(start..).ok_or(malformed)?;
    let written = snap::raw::Decoder::new().decompress(block, target).map_err(|_| malformed)?;
    if written == length { Ok(()) } else { Err(malformed) }
}

/// A block's error with the cap of the whole.
fn at_cap(error: DecompressError, cap: usize) -> DecompressError {
    match error {
        DecompressError::TooLarge { .. } => DecompressError::TooLarge { cap },
        malformed @ DecompressError::Malformed(_) => malformed,
    }
}

/// Appends the compressed `input` to `out`. Levels are the libraries' defaults, as the Java clients use.
///
/// # Errors
/// Only if the library fails; `out` is then cut back to its former length.
pub fn compress(format: Format, input: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
    let start = out.len();
    let done = match format {
        Format::Gzip => gzip(input, out),
        Format::Zlib => zlib(input, out),
        Format::Snappy => xerial(input, out),
        Format::Lz4 => lz4(input, out),
        Format::Zstd => zstd::stream::copy_encode(input, &mut *out, zstd::DEFAULT_COMPRESSION_LEVEL),
    };
    done.map_err(|_| {
        out.truncate(start);
        CompressError(format)
    })
}

fn gzip(input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
    encoder.write_all(input)?;
    encoder.finish().map(drop)
}

fn zlib(input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = flate2::write::ZlibEncoder::new(out, flate2::Compression::default());
    encoder.write_all(input)?;
    encoder.finish().map(drop)
}

fn lz4(input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let frame = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(frame, out);
    encoder.write_all(input)?;
    encoder.finish().map(drop).map_err(io::Error::from)
}

fn xerial(input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(&XERIAL_MAGIC);
    out.extend_from_slice(&XERIAL_VERSIONS);
    let mut encoder = snap::raw::Encoder::new();
    for block in input.chunks(XERIAL_BLOCK) {
        let length_at = out.len();
        let start = length_at + 4;
        out.resize(start + snap::raw::max_compress_len(block.len()), 0);
        let target = out.get_mut(start..).ok_or(io::ErrorKind::Other)?;
        let written = encoder.compress(block, target).map_err(io::Error::from)?;
        out.truncate(start + written);
        let length = u32::try_from(written).map_err(|_| io::ErrorKind::Other)?;
        out.get_mut(length_at..start).ok_or(io::ErrorKind::Other)?.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Format; 5] = [Format::Gzip, Format::Zlib, Format::Snappy, Format::Lz4, Format::Zstd];

    fn packed(format: Format, input: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        compress(format, input, &mut out).unwrap();
        out
    }

    fn unpacked(format: Format, input: &[u8], cap: usize) -> Result<Vec<u8>, DecompressError> {
        let mut out = b"before".to_vec();
        let done = decompress(format, input, cap, &mut out);
        assert_eq!(&out[..6], b"before");
        if done.is_err() {
            assert_eq!(out.len(), 6, "{format:?} left bytes behind");
        }
        done.map(|()| out.split_off(6))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_format_round_trips(seed: Vec<u8>, repeat in 1_usize..400) {
            let input = seed.repeat(repeat);
            for format in ALL {
                let small = packed(format, &input);
                prop_assert_eq!(&unpacked(format, &small, input.len()).unwrap(), &input);
            }
        }

        #[test]
        fn any_bytes_are_decompressed_without_panic(bytes: Vec<u8>) {
            for format in ALL {
                let _ = unpacked(format, &bytes, 10_000);
                let mut damaged = packed(format, &[7; 300]);
                for (at, byte) in bytes.iter().enumerate().take(damaged.len()) {
                    damaged[at] ^= byte & 1;
                }
                let _ = unpacked(format, &damaged, 10_000);
            }
        }
    }

    #[test]
    fn output_at_the_cap_passes_and_one_byte_more_is_refused() {
        let input = vec![3; 100_000];
        for format in ALL {
            let small = packed(format, &input);
            assert_eq!(unpacked(format, &small, 100_000).unwrap().len(), 100_000, "{format:?}");
            let refused = unpacked(format, &small, 99_999);
            assert_eq!(refused, Err(DecompressError::TooLarge { cap: 99_999 }), "{format:?}");
        }
    }

    #[test]
    fn thirty_kilobytes_of_zstd_do_not_become_a_gigabyte() {
        let mut bomb = Vec::new();
        let mut encoder = zstd::stream::write::Encoder::new(&mut bomb, 1).unwrap();
        let block = vec![0; 1 << 20];
        for _ in 0..256 {
            encoder.write_all(&block).unwrap();
        }
        encoder.finish().unwrap();
        assert!(bomb.len() < 64 * 1024);
        let cap = 1 << 20;
        let mut out = Vec::new();
        assert_eq!(decompress(Format::Zstd, &bomb, cap, &mut out), Err(DecompressError::TooLarge { cap }));
        assert!(out.capacity() <= 4 * cap, "{} bytes reserved", out.capacity());
    }

    #[test]
    fn small_inputs_in_large_zstd_windows_are_read() {
        let mut whole = Vec::new();
        let mut encoder = zstd::stream::write::Encoder::new(&mut whole, 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(b"payload").unwrap();
        encoder.flush().unwrap();
        encoder.write_all(b" and more").unwrap();
        encoder.finish().unwrap();
        assert_eq!(whole[5], (27 - 10) << 3, "the head names a window of 128 MiB");
        assert_eq!(unpacked(Format::Zstd, &whole, 16).unwrap(), b"payload and more");
        assert_eq!(unpacked(Format::Zstd, &whole, 15), Err(DecompressError::TooLarge { cap: 15 }));
    }

    #[test]
    fn a_snappy_length_prefix_is_not_believed() {
        let four_gigabytes = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
        let refused = unpacked(Format::Snappy, &four_gigabytes, 1 << 20);
        assert_eq!(refused, Err(DecompressError::TooLarge { cap: 1 << 20 }));
        let mut out = Vec::new();
        let refused = decompress(Format::Snappy, &four_gigabytes, usize::MAX, &mut out);
        assert_eq!(refused, Err(DecompressError::Malformed(Format::Snappy)));
        assert_eq!(out.capacity(), 0);
    }

    #[test]
    fn raw_snappy_is_read_too() {
        let raw = snap::raw::Encoder::new().compress_vec(b"hello hello hello").unwrap();
        assert_eq!(unpacked(Format::Snappy, &raw, 100).unwrap(), b"hello hello hello");
    }

    #[test]
    fn concatenated_members_are_read_as_one() {
        for format in [Format::Gzip, Format::Zstd] {
            let mut two = packed(format, b"first ");
            two.extend(packed(format, b"second"));
            assert_eq!(unpacked(format, &two, 100).unwrap(), b"first second", "{format:?}");
        }
    }

    #[test]
    fn every_kind_of_lz4_frame_is_read_and_chains_of_frames_are_not() {
        use lz4_flex::frame::{BlockMode, FrameEncoder, FrameInfo};
        let input = b"0123456789abcdef".repeat(20_000);
        for bits in 0..16 {
            let mode = if bits & 1 == 0 { BlockMode::Independent } else { BlockMode::Linked };
            let frame = FrameInfo::new()
                .block_mode(mode)
                .block_checksums(bits & 2 != 0)
                .content_checksum(bits & 4 != 0)
                .content_size((bits & 8 != 0).then_some(input.len() as u64));
            let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
            encoder.write_all(&input).unwrap();
            let mut whole = encoder.finish().unwrap();
            assert_eq!(unpacked(Format::Lz4, &whole, 1 << 20).unwrap(), input, "{bits:04b}");
            whole.extend_from_within(..);
            let refused = unpacked(Format::Lz4, &whole, 1 << 20);
            assert_eq!(refused, Err(DecompressError::Malformed(Format::Lz4)), "{bits:04b}");
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let input: Vec<u8> = (0..3000_u32).flat_map(|n| (n * 7919).to_be_bytes()).collect();
        for format in ALL {
            let whole = packed(format, &input);
            for cut in 1..whole.len() {
                if format == Format::Snappy && cut == 16 {
                    continue; // a xerial stream of no blocks is whole
                }
                let got = unpacked(format, &whole[..cut], 1 << 20);
                assert!(got.is_err(), "{format:?} cut at {cut} of {}", whole.len());
            }
        }
    }

    #[test]
    fn bytes_behind_the_end_are_refused() {
        for format in ALL {
            let mut longer = packed(format, b"payload");
            longer.extend_from_slice(b"xyz");
            assert!(unpacked(format, &longer, 100).is_err(), "{format:?}");
        }
    }
}
