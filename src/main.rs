//! Parses the command line, runs one command, turns an error into an exit code.
#![forbid(unsafe_code)]
fn main() {}
