//! Tests of the store engine through its public face, on simulated disks; one program, one file a subject.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

mod basics;
mod common;
mod crashes;
mod damage;
mod golden;
mod retention;
mod schedules;
mod threads;
