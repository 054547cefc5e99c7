//! A value per group, topic and queue: what committed offsets and pending resets are kept in.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::OffsetKey;

pub(super) type Topics<T> = HashMap<Arc<str>, BTreeMap<i32, T>>;

/// A value per group, topic and queue; a change of a value that is there allocates nothing.
#[derive(Debug)]
pub(super) struct ByQueue<T>(pub(super) HashMap<Arc<str>, Topics<T>>);

impl<T> Default for ByQueue<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> ByQueue<T> {
    pub(super) fn get(&self, key: OffsetKey<'_>) -> Option<&T> {
        self.0.get(key.group)?.get(key.topic)?.get(&key.queue)
    }

    pub(super) fn get_mut(&mut self, key: OffsetKey<'_>) -> Option<&mut T> {
        self.0.get_mut(key.group)?.get_mut(key.topic)?.get_mut(&key.queue)
    }

    /// Makes the value if it is missing, then changes it.
    pub(super) fn change(
        &mut self,
        key: OffsetKey<'_>,
        make: impl FnOnce() -> T,
        change: impl FnOnce(&mut T),
    ) {
        if let Some(value) = self.get_mut(key) {
            return change(value);
        }
        let topics = self.0.entry(Arc::from(key.group)).or_default();
        let queues = topics.entry(Arc::from(key.topic)).or_default();
        change(queues.entry(key.queue).or_insert_with(make));
    }

    pub(super) fn remove(&mut self, key: OffsetKey<'_>) -> Option<T> {
        let topics = self.0.get_mut(key.group)?;
        let queues = topics.get_mut(key.topic)?;
        let removed = queues.remove(&key.queue);
        if queues.is_empty() {
            topics.remove(key.topic);
        }
        if topics.is_empty() {
            self.0.remove(key.group);
        }
        removed
    }

    pub(super) fn remove_topic(&mut self, topic: &str) -> bool {
        let mut removed = false;
        for topics in self.0.values_mut() {
            removed |= topics.remove(topic).is_some();
        }
        self.0.retain(|_, topics| !topics.is_empty());
        removed
    }
}
