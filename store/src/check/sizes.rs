//! The sizes a directory was made with, read off its files, so that it can be looked at without its broker.conf.
//!
//! CommitLog and queue files tell them by their length. An IndexFile does not: many pairs of slots and entries give
//! one length, so its header, first and last entry decide.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::StoreConfig;
use crate::disk::{self, Disk, DiskFile, Open};
use crate::format::index::{ENTRY_LEN, Entry, FIRST_ENTRY, HEADER_LEN, Header, SLOT_LEN, Shape};
use crate::format::{batch_consume_queue, consume_queue};

/// Settings that fit the files below `root`.
pub(super) fn of_files(disk: &dyn Disk, root: &Path) -> io::Result<StoreConfig> {
    let mut config = StoreConfig::new(root);
    if let Some(len) = len_of_first(disk, &config.commit_log_dir())? {
        config.commit_log_file_size = len;
    }
    let units = |len: u64, unit: usize| u32::try_from(len / unit as u64).unwrap_or(u32::MAX).max(1);
    if let Some(len) = len_of_first_queue(disk, &root.join("consumequeue"))? {
        config.queue_file_units = units(len, consume_queue::LEN);
    }
    if let Some(len) = len_of_first_queue(disk, &root.join("batchconsumequeue"))? {
        config.batch_queue_file_units = units(len, batch_consume_queue::LEN);
    }
    if let Some(shape) = index_shape(disk, &root.join("index"))? {
        (config.index_slots, config.index_entries) = (shape.slots, shape.entries);
    }
    Ok(config)
}

fn len_of_first(disk: &dyn Disk, dir: &Path) -> io::Result<Option<u64>> {
    let entries = disk.list(dir)?;
    let Some(first) = entries.iter().find(|entry| !entry.is_dir) else { return Ok(None) };
    disk.open(&dir.join(&first.name), Open::Read)?.len().map(Some)
}

/// Length of the first file of any queue below `dir`.
fn len_of_first_queue(disk: &dyn Disk, dir: &Path) -> io::Result<Option<u64>> {
    for topic in dirs_in(disk, dir)? {
        for queue in dirs_in(disk, &topic)? {
            if let Some(len) = len_of_first(disk, &queue)?.filter(|len| *len > 0) {
                return Ok(Some(len));
            }
        }
    }
    Ok(None)
}

fn dirs_in(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = disk.list(dir)?;
    Ok(entries.into_iter().filter(|entry| entry.is_dir).map(|entry| dir.join(entry.name)).collect())
}

/// The shape that fits the first file with entries; the default when there is none or nothing fits.
fn index_shape(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Shape>> {
    for entry in disk.list(dir)?.into_iter().filter(|entry| !entry.is_dir) {
        let file = disk.open(&dir.join(entry.name), Open::Read)?;
        let mut header = [0; HEADER_LEN];
        if disk::read_exact(&*file, 0, &mut header).is_err() {
            continue;
        }
        let header = Header::decode(&header);
        if header.index_count > FIRST_ENTRY
            && let Some(shape) = shape_of(&*file, &header)?
        {
            return Ok(Some(shape));
        }
    }
    Ok(None)
}

fn shape_of(file: &dyn DiskFile, header: &Header) -> io::Result<Option<Shape>> {
    let len = file.len()?;
    if len == Shape::DEFAULT.file_len() && fits(file, header, Shape::DEFAULT)? {
        return Ok(Some(Shape::DEFAULT));
    }
    let tables = len.saturating_sub(HEADER_LEN as u64);
    let most = u32::try_from(tables / ENTRY_LEN as u64).unwrap_or(u32::MAX);
    for entries in header.index_count..=most {
        let slots = (tables - u64::from(entries) * ENTRY_LEN as u64) / SLOT_LEN as u64;
        let shape = Shape { slots: u32::try_from(slots).unwrap_or(u32::MAX).max(1), entries };
        if shape.file_len() == len && fits(file, header, shape)? {
            return Ok(Some(shape));
        }
    }
    Ok(None)
}

/// Whether entry 0 is unused, the first and the last entry stand where the header says, and the slot of the first
/// one is in use.
fn fits(file: &dyn DiskFile, header: &Header, shape: Shape) -> io::Result<bool> {
    let entry = |number| {
        let mut bytes = [0; ENTRY_LEN];
        disk::read_exact(file, shape.entry_at(number), &mut bytes).map(|()| bytes)
    };
    let first = Entry::decode(&entry(FIRST_ENTRY)?);
    if first.commit_offset != header.begin_commit_offset || entry(0)? != [0; ENTRY_LEN] {
        return Ok(false);
    }
    let mut slot = [0; SLOT_LEN];
    disk::read_exact(file, shape.slot_at(first.key_hash), &mut slot)?;
    let newest = u32::from_be_bytes(slot);
    let last = Entry::decode(&entry(header.index_count - 1)?);
    Ok(last.commit_offset == header.end_commit_offset && newest >= FIRST_ENTRY && newest < shape.entries)
}
