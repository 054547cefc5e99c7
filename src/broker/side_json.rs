//! Our own state beside RocketMQ's files: JSON in the side-file envelope (magic, version, checksum).

use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use gantry_store::disk::{Disk, read_file, replace_file};
use gantry_store::format::side_file;
use serde::Serialize;
use serde::de::DeserializeOwned;

const VERSION: u16 = 1;

/// One side file that holds a `T`.
#[derive(Debug)]
pub(super) struct SideJson<T> {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    magic: [u8; 8],
    content: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + Default> SideJson<T> {
    pub(super) fn new(disk: &Arc<dyn Disk>, path: PathBuf, magic: [u8; 8]) -> Self {
        Self { disk: Arc::clone(disk), path, magic, content: PhantomData }
    }

    /// What was saved last; the default when nothing was. Blocks.
    ///
    /// # Errors
    /// The disk's; a damaged file, named, because starting without it would forget what it holds.
    pub(super) fn load(&self) -> io::Result<T> {
        if !self.disk.exists(&self.path) {
            return Ok(T::default());
        }
        let bytes = read_file(&*self.disk, &self.path)?;
        let file = side_file::decode(self.magic, &bytes).map_err(|error| self.damaged(&error))?;
        serde_json::from_slice(file.payload).map_err(|error| self.damaged(&error))
    }

    /// Writes `value` atomically and durably. Blocks.
    ///
    /// # Errors
    /// The disk's; the old content stands then.
    pub(super) fn save(&self, value: &T) -> io::Result<()> {
        let payload = serde_json::to_vec(value).map_err(io::Error::other)?;
        let bytes = side_file::encode(self.magic, VERSION, &payload).map_err(io::Error::other)?;
        replace_file(&*self.disk, &self.path, &bytes)
    }

    fn damaged(&self, cause: &dyn std::fmt::Display) -> io::Error {
        let path = self.path.display();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{path} is damaged ({cause}); restore it from a backup, or remove it to start without what it holds"
            ),
        )
    }
}
