//! Fuzzes `targets::commit_log_frame`, which says what is read and what has to hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gantry_compat_tests::targets::commit_log_frame(input));
