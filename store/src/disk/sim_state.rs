//! What a simulated disk remembers: the page cache and, apart from it, what would survive a power loss.
//!
//! Content is durable by sector when its file was synced; names are durable when their directory was
//! synced. At a power loss each other sector and a prefix of the other name changes survive by chance.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Unit of tearing, in bytes.
pub(super) const SECTOR: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    File(usize),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) live: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    pub(super) modified_ms: i64,
}

/// One change of the name space: each name with what it stands for afterwards.
type NameChange = Vec<(PathBuf, Option<Node>)>;

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) inodes: Vec<Inode>,
    pub(super) names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    pending_names: Vec<NameChange>,
    pub(super) capacity: u64,
    pub(super) now_ms: i64,
    random: Random,
}

/// SplitMix64: small, seedable, good enough to choose faults.
#[derive(Clone, Debug, Default)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

impl Inode {
    pub(super) fn new(modified_ms: i64) -> Inode {
        Inode { modified_ms, ..Inode::default() }
    }

    pub(super) fn write(&mut self, offset: usize, from: &[u8]) {
        let end = offset + from.len();
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        if let Some(to) = self.live.get_mut(offset..end) {
            to.copy_from_slice(from);
        }
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }

    pub(super) fn set_len(&mut self, len: usize) {
        let old = self.live.len();
        self.live.resize(len, 0);
        self.dirty.extend(old.min(len) / SECTOR..old.max(len).div_ceil(SECTOR));
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            self.write_back(sector);
        }
    }

    /// The kernel dropped the dirty pages after a failed sync: they read fine and are never written.
    pub(super) fn forget_dirty(&mut self) {
        self.dirty.clear();
    }

    /// One sector reaches the disk.
    fn write_back(&mut self, sector: usize) {
        let from = sector * SECTOR;
        let end = (from + SECTOR).min(self.live.len());
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        if let (Some(to), Some(live)) = (self.durable.get_mut(from..end), self.live.get(from..end)) {
            to.copy_from_slice(live);
        }
    }

    fn lose_power(&mut self, random: &mut Random) {
        let (length_kept, odds) = (random.below(2) == 0, random.below(5));
        for sector in std::mem::take(&mut self.dirty) {
            if random.below(4) < odds {
                self.write_back(sector);
            }
        }
        if length_kept {
            self.durable.resize(self.live.len(), 0);
        }
        self.live.clone_from(&self.durable);
    }
}

impl State {
    pub(super) fn new(seed: u64) -> State {
        State { capacity: u64::MAX, random: Random(seed), ..State::default() }
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn change_names(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        self.pending_names.push(change);
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) {
        let (synced, kept) = std::mem::take(&mut self.pending_names)
            .into_iter()
            .partition(|change| change.iter().any(|(path, _)| path.parent() == Some(dir)));
        self.pending_names = kept;
        for change in Vec::<NameChange>::from_iter(synced) {
            apply(&mut self.durable_names, &change);
        }
    }

    pub(super) fn used(&self) -> u64 {
        let files = self.names.values().filter_map(|node| match node {
            Node::File(inode) => self.inodes.get(*inode),
            Node::Dir => None,
        });
        files.map(|inode| inode.live.len() as u64).sum()
    }

    /// Now and then a dirty sector is written back on its own, as the kernel does.
    pub(super) fn write_back_something(&mut self) {
        if self.random.below(8) != 0 {
            return;
        }
        let chosen = self.random.below(self.inodes.len() as u64) as usize;
        let Some(inode) = self.inodes.get_mut(chosen) else { return };
        let skip = self.random.below(inode.dirty.len() as u64) as usize;
        if let Some(sector) = inode.dirty.iter().nth(skip).copied() {
            inode.write_back(sector);
        }
    }

    pub(super) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    pub(super) fn lose_power(&mut self, seed: u64) {
        let mut random = Random(seed);
        let survivors = random.below(self.pending_names.len() as u64 + 1) as usize;
        for change in std::mem::take(&mut self.pending_names).into_iter().take(survivors) {
            apply(&mut self.durable_names, &change);
        }
        self.names.clone_from(&self.durable_names);
        let known: BTreeSet<PathBuf> = self.names.keys().cloned().collect();
        self.names
            .retain(|path, _| path.ancestors().skip(1).all(|up| up.parent().is_none() || known.contains(up)));
        self.durable_names.clone_from(&self.names);
        for inode in &mut self.inodes {
            inode.lose_power(&mut random);
        }
    }
}

fn apply(names: &mut BTreeMap<PathBuf, Node>, change: &NameChange) {
    for (path, node) in change {
        match node {
            Some(node) => names.insert(path.clone(), *node),
            None => names.remove(path),
        };
    }
}
