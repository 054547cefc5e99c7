//! Topic news: what name servers of other processes have to be told, and what they tell back.
//!
//! A registration carries the version of the topic table that the state files held last: a change that could
//! still be lost is nobody's business yet, and the next write brings a version that no name server knows.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tracing::info;

use super::Broker;
use super::persist::{StateFile, StateFiles};
use crate::mapping::names;
use crate::semantics::Millis;
use crate::semantics::data_version::DataVersion;

/// What was written and who wants to know.
#[derive(Debug, Default)]
pub(super) struct TopicNews(Mutex<News>);

#[derive(Debug, Default)]
struct News {
    /// Handed to the disk; known as kept once the write is over.
    saved: DataVersion,
    kept: DataVersion,
    watchers: Vec<Waker>,
}

impl TopicNews {
    fn lock(&self) -> MutexGuard<'_, News> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table as it was read at start.
    pub(super) fn loaded(&self, version: DataVersion) {
        self.lock().kept = version;
    }

    /// The state file got the table of this version.
    pub(super) fn saved(&self, version: DataVersion) {
        self.lock().saved = version;
    }
}

impl Broker {
    /// The version of the topic table as the state files hold it.
    #[must_use]
    pub fn kept_topics_version(&self) -> DataVersion {
        self.topic_news.lock().kept
    }

    /// Wakes `watcher` after each write of the topic table, until the broker is closed.
    pub fn watch_topics(&self, watcher: Waker) {
        self.topic_news.lock().watchers.push(watcher);
    }

    /// Every change up to the last save stands on the disk.
    pub(super) fn state_written(&self, files: StateFiles) {
        if !files.contains(StateFile::Topics) {
            return;
        }
        let mut news = self.topic_news.lock();
        news.kept = news.saved;
        news.watchers.iter().for_each(Waker::wake_by_ref);
    }

    /// Marks as ordered exactly the topics that the name server's ORDER_TOPIC_CONFIG names, as RocketMQ 5.3.3
    /// `TopicConfigManager.updateOrderTopicConfig` does.
    pub fn apply_order_topics(&self, is_ordered: impl Fn(&str) -> bool, now: Millis) {
        let by_either_name = |stored: &str| is_ordered(stored) || is_ordered(&names::native_alias(stored));
        for topic in self.change_topics(|topics| topics.set_ordered(now, by_either_name)) {
            info!(%topic, "the name server's order configuration changed this topic");
        }
    }
}
