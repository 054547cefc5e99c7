//! SIGBUS: a mapped page could not be read from disk.
//!
//! The handler finds the file in a lock-free table of mapped addresses, writes one line and exits; it
//! allocates nothing and takes no lock. It does not try to go on: the reading code has no way to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Maps that can be named at the same time; further ones are served but stay unnamed.
const SLOTS: usize = 4096;
/// Bytes of a file name that are printed, its end.
const NAME_LEN: usize = 240;

struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    name: AtomicPtr<Name>,
}

struct Name {
    len: usize,
    bytes: [u8; NAME_LEN],
}

static TABLE: [Slot; SLOTS] = [const {
    Slot { start: AtomicUsize::new(0), end: AtomicUsize::new(0), name: AtomicPtr::new(std::ptr::null_mut()) }
}; SLOTS];

/// Keeps a map's row in the table; removes it when dropped.
#[derive(Debug)]
pub(super) struct Registered {
    slot: Option<usize>,
    _name: Arc<str>,
}

/// Enters a map into the table.
pub(super) fn register(start: usize, len: usize, name: Arc<str>) -> Registered {
    let free = TABLE
        .iter()
        .position(|slot| slot.start.compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed).is_ok());
    if let Some(slot) = free.and_then(|at| TABLE.get(at)) {
        slot.set_name(&name);
        slot.end.store(start + len, Ordering::Release);
    }
    Registered { slot: free, _name: name }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.and_then(|at| TABLE.get(at)) {
            slot.end.store(0, Ordering::Release);
            slot.start.store(0, Ordering::Release);
        }
    }
}

impl Slot {
    /// Names are written into a buffer that the slot keeps for good, so the handler never meets a freed
    /// one; a handler that runs during the change prints a mixed name at worst.
    fn set_name(&self, name: &str) {
        let tail = name.as_bytes();
        let tail = tail.get(tail.len().saturating_sub(NAME_LEN)..).unwrap_or(tail);
        let mut bytes = [0; NAME_LEN];
        for (to, from) in bytes.iter_mut().zip(tail) {
            *to = *from;
        }
        let fresh = Box::into_raw(Box::new(Name { len: tail.len(), bytes }));
        let old = self.name.swap(fresh, Ordering::AcqRel);
        if !old.is_null() {
            // The old name is kept: a handler on another thread may be reading it. A slot is reused only
            // when a file was deleted, so this is at most 256 bytes per deleted file.
            let _kept = old;
        }
    }
}

/// Installs the handler for the whole process; done with the first map, later calls change nothing.
pub(super) fn install() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: `action` is fully initialised (zero is a valid `sigaction`), and the handler only uses
        // async-signal-safe calls.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_sigbus as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
        }
    });
}

extern "C" fn on_sigbus(_: libc::c_int, detail: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t` for SIGBUS.
    let address = unsafe { (*detail).si_addr() } as usize;
    write_line(b"gantry: a mapped file could not be read from disk (SIGBUS), exiting: ");
    let slot = TABLE.iter().find(|slot| {
        (slot.start.load(Ordering::Acquire)..slot.end.load(Ordering::Acquire)).contains(&address)
    });
    let name = slot.map_or(std::ptr::null_mut(), |slot| slot.name.load(Ordering::Acquire));
    if name.is_null() {
        write_line(b"unknown file");
    } else {
        // SAFETY: names are published complete and never freed.
        let name = unsafe { &*name };
        write_line(name.bytes.get(..name.len).unwrap_or(&name.bytes));
    }
    write_line(b"\n");
    // SAFETY: `_exit` is async-signal-safe and does not return.
    unsafe { libc::_exit(EXIT_CODE) }
}

/// Exit code after a SIGBUS: 128 + signal number, as shells report it.
const EXIT_CODE: i32 = 128 + libc::SIGBUS;

fn write_line(text: &[u8]) {
    // SAFETY: `write` is async-signal-safe and reads `text.len()` bytes of a live slice.
    unsafe {
        libc::write(2, text.as_ptr().cast(), text.len());
    }
}
