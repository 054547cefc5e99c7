//! Compressed bodies and blocks in every format, their output under a cap.

use gantry_protocols::compression::{Format, compress, decompress};

use super::DECOMPRESSED_CAP;

const FORMATS: [Format; 5] = [Format::Gzip, Format::Zlib, Format::Snappy, Format::Lz4, Format::Zstd];
const BEFORE: &[u8] = b"before";

/// Decompresses the input behind its first byte, which chooses the format.
pub fn compression(input: &[u8]) {
    let Some((choice, packed)) = input.split_first() else { return };
    let Some(format) = FORMATS.get(usize::from(*choice) % FORMATS.len()) else { return };
    let mut out = BEFORE.to_vec();
    let done = decompress(*format, packed, DECOMPRESSED_CAP, &mut out);
    let plain = out.strip_prefix(BEFORE).expect("what stood in the output is kept");
    assert!(plain.len() <= DECOMPRESSED_CAP, "above the cap");
    assert!(out.capacity() <= 2 * DECOMPRESSED_CAP + 64, "{} bytes reserved", out.capacity());
    if done.is_err() {
        assert!(plain.is_empty(), "a refused input left bytes behind");
        return;
    }
    let mut packed = Vec::new();
    compress(*format, plain, &mut packed).expect("any bytes can be compressed");
    let mut again = Vec::new();
    decompress(*format, &packed, plain.len(), &mut again).expect("own output");
    assert_eq!(again, plain);
}
