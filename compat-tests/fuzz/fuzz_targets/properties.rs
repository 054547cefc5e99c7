//! Fuzzes `targets::properties`, which says what is read and what has to hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gantry_compat_tests::targets::properties(input));
