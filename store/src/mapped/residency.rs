//! Whether mapped pages are in memory (`mincore`), asked before a range is touched.
//!
//! The answer may be outdated when it arrives; it only chooses between two correct ways to read.

use std::sync::OnceLock;

/// Pages one call asks about: 1 MiB of 4 KiB pages.
const PAGES: usize = 256;

/// Whether `[offset, offset + len)` of the map that starts at address `base` is in memory.
pub(super) fn resident(base: usize, offset: usize, len: usize) -> bool {
    let page = page_size();
    let mut from = (base + offset) / page * page;
    let end = base + offset + len;
    while from < end {
        let span = (end - from).min(PAGES * page);
        if !resident_span(from, span, page) {
            return false;
        }
        from += span.div_ceil(page) * page;
    }
    true
}

/// One call; `from` is page aligned and `len` spans at most `PAGES` pages.
fn resident_span(from: usize, len: usize, page: usize) -> bool {
    let mut flags = [0u8; PAGES];
    // SAFETY: the range lies inside a live map (its owner is borrowed by the caller) and `flags` has a
    // byte for every page of it; the call reads no mapped memory.
    let answer = unsafe { libc::mincore(from as *mut libc::c_void, len, flags.as_mut_ptr().cast()) };
    answer == 0 && flags.iter().take(len.div_ceil(page)).all(|flag| flag & 1 == 1)
}

fn page_size() -> usize {
    static PAGE_SIZE: OnceLock<usize> = OnceLock::new();
    *PAGE_SIZE.get_or_init(rustix::param::page_size)
}
