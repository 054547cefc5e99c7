//! Big-endian integers at fixed places of a fixed structure, the place checked when the program is compiled.
//!
//! `AT` is a sum of field sizes from the layout table of the caller; a place outside the structure does not
//! compile. For structures of variable length there is [`Reader`], whose every step is checked at run time.

/// The `N` bytes at `AT`.
pub(crate) const fn array<const AT: usize, const N: usize, const LEN: usize>(bytes: &[u8; LEN]) -> [u8; N] {
    const { assert!(AT + N <= LEN, "field outside of the structure") };
    let (_, tail) = bytes.split_at(AT);
    match tail.first_chunk::<N>() {
        Some(field) => *field,
        None => [0; N],
    }
}

/// The int16 at `AT`.
pub(crate) const fn i16_at<const AT: usize, const LEN: usize>(bytes: &[u8; LEN]) -> i16 {
    i16::from_be_bytes(array::<AT, 2, LEN>(bytes))
}

/// The int32 at `AT`.
pub(crate) const fn i32_at<const AT: usize, const LEN: usize>(bytes: &[u8; LEN]) -> i32 {
    i32::from_be_bytes(array::<AT, 4, LEN>(bytes))
}

/// The int64 at `AT`.
pub(crate) const fn i64_at<const AT: usize, const LEN: usize>(bytes: &[u8; LEN]) -> i64 {
    i64::from_be_bytes(array::<AT, 8, LEN>(bytes))
}

/// Writes `field` at `AT`.
pub(crate) fn put<const AT: usize, const N: usize, const LEN: usize>(bytes: &mut [u8; LEN], field: [u8; N]) {
    const { assert!(AT + N <= LEN, "field outside of the structure") };
    if let Some(place) = bytes.get_mut(AT..).and_then(|tail| tail.first_chunk_mut::<N>()) {
        *place = field;
    }
}

/// Reads fields one after the other; `None` as soon as the bytes end.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(field)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*field)
    }

    pub(crate) fn i8(&mut self) -> Option<i8> {
        self.array().map(i8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_at_the_same_place() {
        let mut bytes = [0u8; 14];
        put::<0, 8, 14>(&mut bytes, (-2i64).to_be_bytes());
        put::<8, 4, 14>(&mut bytes, 77i32.to_be_bytes());
        put::<12, 2, 14>(&mut bytes, (-3i16).to_be_bytes());
        assert_eq!(i64_at::<0, 14>(&bytes), -2);
        assert_eq!(i32_at::<8, 14>(&bytes), 77);
        assert_eq!(i16_at::<12, 14>(&bytes), -3);
    }

    #[test]
    fn reader_ends_with_the_bytes() {
        let mut reader = Reader::new(&[0, 1, 2]);
        assert_eq!(reader.i16(), Some(1));
        assert_eq!(reader.i16(), None);
        assert_eq!(reader.i8(), Some(2));
        assert_eq!(reader.rest(), b"");
    }
}
