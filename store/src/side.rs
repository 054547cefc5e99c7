//! Our side files under `gantry/`: reading one, replacing one. Their content belongs to who owns the magic.

use std::io;
use std::path::Path;

use crate::disk::{self, Disk};
use crate::format::side_file;

/// The payload of a side file; `None` when it is missing, damaged or of another version.
pub(crate) fn load(
    disk: &dyn Disk,
    path: &Path,
    magic: [u8; 8],
    version: u16,
) -> io::Result<Option<Vec<u8>>> {
    let content = match disk::read_file(disk, path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match side_file::decode(magic, &content) {
        Ok(file) if file.version == version => Ok(Some(file.payload.to_vec())),
        Ok(file) => {
            tracing::warn!(file = %path.display(), version = file.version, "side file of another version is ignored");
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "damaged side file is ignored");
            Ok(None)
        }
    }
}

/// Replaces a side file, durably.
pub(crate) fn save(
    disk: &dyn Disk,
    path: &Path,
    magic: [u8; 8],
    version: u16,
    payload: &[u8],
) -> io::Result<()> {
    let content = side_file::encode(magic, version, payload)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    disk::replace_file(disk, path, &content)
}
