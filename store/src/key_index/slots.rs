//! The slot table of the newest IndexFile, in memory by pages that are read when first needed.
//!
//! Slots are hit at random, so writing each one to the file would cost a call a key; pages collect many keys
//! between two flushes. Sealed files have no table in memory: their slots are read one by one.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};

use crate::disk::{DiskFile, read_exact, write_all_vectored};
use crate::format::index::{HEADER_LEN, SLOT_LEN, Shape};

const PAGE_LEN: usize = 4096;
const SLOTS_PER_PAGE: usize = PAGE_LEN / SLOT_LEN;
const _: () = assert!(PAGE_LEN.is_multiple_of(SLOT_LEN));

/// The slots, in the order of the file.
#[derive(Debug)]
pub(super) struct Slots {
    pages: Vec<Option<Box<[u8; PAGE_LEN]>>>,
    dirty: BTreeSet<usize>,
    slots: usize,
}

impl Slots {
    pub(super) fn new(shape: Shape) -> Slots {
        let slots = shape.slots as usize;
        Slots { pages: vec![None; slots.div_ceil(SLOTS_PER_PAGE)], dirty: BTreeSet::new(), slots }
    }

    pub(super) fn len(&self) -> usize {
        self.slots
    }

    /// Puts `number` into a slot and says what stood there. Slots outside of the table hold nothing.
    pub(super) fn replace(&mut self, file: &dyn DiskFile, slot: usize, number: u32) -> io::Result<u32> {
        let old = self.read(file, slot)?;
        let page = slot / SLOTS_PER_PAGE;
        if let Some(Some(content)) = self.pages.get_mut(page)
            && let Some(place) = place(slot, content.as_mut_slice())
        {
            *place = number.to_be_bytes();
            self.dirty.insert(page);
        }
        Ok(old)
    }

    /// What stands in a slot, the page now in memory.
    pub(super) fn read(&mut self, file: &dyn DiskFile, slot: usize) -> io::Result<u32> {
        let number = slot / SLOTS_PER_PAGE;
        let len = self.page_len(number);
        let Some(page) = self.pages.get_mut(number) else { return Ok(0) };
        let content = match page {
            Some(content) => content,
            None => {
                let mut content = Box::new([0; PAGE_LEN]);
                if let Some(used) = content.get_mut(..len) {
                    read_exact(file, page_at(number), used)?;
                }
                page.insert(content)
            }
        };
        Ok(place(slot, content.as_mut_slice()).map_or(0, |place| u32::from_be_bytes(*place)))
    }

    /// What stands in a slot, when its page is in memory.
    pub(super) fn cached(&self, slot: usize) -> Option<u32> {
        let content = self.pages.get(slot / SLOTS_PER_PAGE)?.as_ref()?;
        let at = slot % SLOTS_PER_PAGE * SLOT_LEN;
        content.get(at..)?.first_chunk().map(|place| u32::from_be_bytes(*place))
    }

    /// Writes the changed pages, neighbours in one call. Does not sync.
    pub(super) fn write_out(&mut self, file: &dyn DiskFile) -> io::Result<()> {
        let mut run: Vec<IoSlice<'_>> = Vec::new();
        let (mut first, mut next) = (0, 0);
        for number in self.dirty.iter().copied() {
            if number != next {
                write_all_vectored(file, page_at(first), &mut run)?;
                run.clear();
                first = number;
            }
            next = number + 1;
            let content = self.pages.get(number).and_then(Option::as_ref);
            run.extend(content.and_then(|content| content.get(..self.page_len(number))).map(IoSlice::new));
        }
        write_all_vectored(file, page_at(first), &mut run)?;
        self.dirty.clear();
        Ok(())
    }

    /// Bytes of the page that belong to the table: the last one may be shorter.
    fn page_len(&self, number: usize) -> usize {
        let behind = self.slots.saturating_sub(number * SLOTS_PER_PAGE);
        behind.min(SLOTS_PER_PAGE) * SLOT_LEN
    }
}

fn page_at(number: usize) -> u64 {
    (HEADER_LEN + number * PAGE_LEN) as u64
}

fn place(slot: usize, content: &mut [u8]) -> Option<&mut [u8; SLOT_LEN]> {
    content.get_mut(slot % SLOTS_PER_PAGE * SLOT_LEN..)?.first_chunk_mut()
}
