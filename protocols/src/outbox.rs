//! Outbox: what one connection has yet to send, as segments in order.
//!
//! Small bytes (heads, lengths, whole small answers) are written into one growing buffer; payloads are added by
//! reference and leave with one vectored write, so a fetched extent is never copied. It is not a queue of
//! answers: who may answer first is decided before bytes get here. It does no I/O and has no bound of its own;
//! the connection stops reading when `len` passes its limit.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// A segment shorter than this (bytes) is copied: one more `iovec` costs more than the copy.
pub const COPY_BELOW: usize = 256;

/// Most segments of one vectored write; the kernel takes 1024, the array for them lives on the stack.
pub const SEGMENTS_PER_WRITE: usize = 64;

/// A head buffer that stands empty is given back when it is larger than this (bytes).
const KEPT_CAPACITY: usize = 1024;

/// Bytes to send, in order: sealed segments, then the head that is still being written.
#[derive(Debug, Default)]
pub struct Outbox {
    sealed: VecDeque<Bytes>,
    sealed_size: usize,
    head: BytesMut,
}

impl Outbox {
    /// An empty outbox; allocates nothing.
    pub fn new() -> Outbox {
        Outbox::default()
    }

    /// The buffer behind all that stands here: append to it, never take from it.
    pub fn head(&mut self) -> &mut BytesMut {
        &mut self.head
    }

    /// Adds `segment` behind all that stands here: by reference, or copied when it is tiny.
    pub fn push(&mut self, segment: Bytes) {
        if segment.len() < COPY_BELOW {
            self.head.extend_from_slice(&segment);
            return;
        }
        self.seal_head();
        self.seal(segment);
    }

    /// Moves everything of `other` behind all that stands here and leaves it empty.
    pub fn append(&mut self, other: &mut Outbox) {
        for segment in other.sealed.drain(..) {
            self.push(segment);
        }
        other.sealed_size = 0;
        if other.head.len() < COPY_BELOW {
            self.head.extend_from_slice(&other.head);
            other.head.clear();
        } else {
            self.seal_head();
            self.seal(other.head.split().freeze());
        }
    }

    /// Bytes that have yet to be sent.
    pub fn len(&self) -> usize {
        self.sealed_size + self.head.len()
    }

    /// True when nothing has to be sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `slices` with the first segments, in order, and returns how many it filled.
    pub fn segments<'a>(&'a self, slices: &mut [IoSlice<'a>; SEGMENTS_PER_WRITE]) -> usize {
        let head = (!self.head.is_empty()).then_some(self.head.as_ref());
        let all = self.sealed.iter().map(Bytes::as_ref).chain(head);
        let mut filled = 0;
        for (slot, segment) in slices.iter_mut().zip(all) {
            *slot = IoSlice::new(segment);
            filled += 1;
        }
        filled
    }

    /// Drops the first `sent` bytes: the socket has them. More than `len` empties the outbox.
    pub fn advance(&mut self, sent: usize) {
        let mut left = sent;
        while let Some(first) = self.sealed.front_mut() {
            if left < first.len() {
                first.advance(left);
                self.sealed_size -= left;
                return;
            }
            left -= first.len();
            self.sealed_size -= first.len();
            self.sealed.pop_front();
        }
        self.head.advance(left.min(self.head.len()));
    }

    /// Gives back the memory of an empty outbox, so that an idle connection stays small.
    pub fn release(&mut self) {
        if self.is_empty()
            && (KEPT_CAPACITY < self.head.capacity() || SEGMENTS_PER_WRITE < self.sealed.capacity())
        {
            *self = Outbox::default();
        }
    }

    fn seal_head(&mut self) {
        if !self.head.is_empty() {
            let head = self.head.split().freeze();
            self.seal(head);
        }
    }

    fn seal(&mut self, segment: Bytes) {
        self.sealed_size += segment.len();
        self.sealed.push_back(segment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contents(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
            let filled = outbox.segments(&mut slices);
            let all: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
            assert!(!all.is_empty());
            let taken = step.min(all.len());
            sent.extend_from_slice(&all[..taken]);
            outbox.advance(taken);
        }
        sent
    }

    #[test]
    fn keeps_large_segments_by_reference() {
        let large = Bytes::from(vec![7; 4096]);
        let mut outbox = Outbox::new();
        outbox.head().extend_from_slice(b"head");
        outbox.push(large.clone());
        outbox.head().extend_from_slice(b"tail");
        let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
        assert_eq!(outbox.segments(&mut slices), 3);
        assert_eq!(slices[1].as_ptr(), large.as_ptr());
        assert_eq!(outbox.len(), 4096 + 8);
    }

    #[test]
    fn copies_tiny_segments_into_the_head() {
        let mut outbox = Outbox::new();
        for _ in 0..100 {
            outbox.push(Bytes::from_static(b"tiny"));
        }
        let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
        assert_eq!(outbox.segments(&mut slices), 1);
        assert_eq!(outbox.len(), 400);
    }

    #[test]
    fn advancing_past_the_end_empties_it() {
        let mut outbox = Outbox::new();
        outbox.push(Bytes::from(vec![1; 300]));
        outbox.head().extend_from_slice(b"tail");
        outbox.advance(usize::MAX);
        assert!(outbox.is_empty());
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn releases_memory_only_when_empty() {
        let mut outbox = Outbox::new();
        outbox.head().extend_from_slice(&[1; 5000]);
        outbox.release();
        assert_eq!(outbox.len(), 5000);
        outbox.advance(5000);
        outbox.release();
        assert_eq!(outbox.head().capacity(), 0);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Head(Vec<u8>),
        Push(Vec<u8>),
        Append(Vec<Vec<u8>>, Vec<u8>),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..600);
        let step = prop_oneof![
            bytes().prop_map(Step::Head),
            bytes().prop_map(Step::Push),
            (prop::collection::vec(bytes(), 0..4), bytes())
                .prop_map(|(sealed, head)| Step::Append(sealed, head)),
        ];
        prop::collection::vec(step, 0..40)
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_in_order(steps in steps(), chunk in 1usize..2000, early in 0usize..500) {
            let (mut outbox, mut expected, mut sent) = (Outbox::new(), Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Head(bytes) => { outbox.head().extend_from_slice(&bytes); expected.extend(bytes); }
                    Step::Push(bytes) => { expected.extend(&bytes); outbox.push(Bytes::from(bytes)); }
                    Step::Append(sealed, head) => {
                        let mut other = Outbox::new();
                        for bytes in sealed { expected.extend(&bytes); other.push(Bytes::from(bytes)); }
                        other.head().extend_from_slice(&head);
                        expected.extend(head);
                        outbox.append(&mut other);
                        prop_assert!(other.is_empty());
                    }
                }
                let now = early.min(outbox.len());
                outbox.advance(now);
                sent += now;
                prop_assert_eq!(outbox.len(), expected.len() - sent);
            }
            prop_assert_eq!(contents(&mut outbox, chunk), &expected[sent..]);
        }
    }
}
