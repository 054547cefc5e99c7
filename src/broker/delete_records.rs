//! Deleting messages by order: the beginning of a partition moves, for readers of both dialects and for good.
//!
//! Source: Kafka 4.1 `ReplicaManager.deleteRecordsOnLocalLog`, KIP-107.

use super::persist::StateFile;
use super::topic::Topic;
use super::{Broker, Durability};

/// Up to where messages are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteBefore {
    /// All that are there.
    End,
    /// Those below this offset.
    Offset(i64),
}

/// Why no message is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteRecordsError {
    /// No such topic or partition.
    #[error("this broker does not have the partition")]
    UnknownPartition,
    /// The offset is negative or behind the last message.
    #[error("offset {offset} is outside of 0 to {end}")]
    OutOfRange {
        /// As asked.
        offset: i64,
        /// Behind the last message.
        end: i64,
    },
    /// The topic keeps the last value of every key.
    #[error("the topic's cleanup.policy lacks delete: its messages are not deleted by order")]
    Policy,
}

impl Broker {
    /// Deletes messages from the beginning of a partition; gives its new first offset.
    ///
    /// # Errors
    /// [`DeleteRecordsError`].
    pub fn delete_records(
        &self,
        topic: &Topic,
        index: i32,
        before: DeleteBefore,
    ) -> Result<(i64, Durability), DeleteRecordsError> {
        if !(0..topic.partitions()).contains(&index) {
            return Err(DeleteRecordsError::UnknownPartition);
        }
        if topic.kafka_settings().is_some_and(|settings| !settings.is_deleted_by_age) {
            return Err(DeleteRecordsError::Policy);
        }
        let partition = self.existing_partition(topic, index);
        let end = partition.as_ref().map_or(0, |partition| partition.queue.next().0);
        let offset = match before {
            DeleteBefore::End => end,
            DeleteBefore::Offset(offset) if (0..=end).contains(&offset) => offset,
            DeleteBefore::Offset(offset) => return Err(DeleteRecordsError::OutOfRange { offset, end }),
        };
        let Some(partition) = partition else { return Ok((0, Durability::NONE)) };
        if offset <= partition.log_start() {
            return Ok((partition.log_start(), Durability::NONE));
        }
        let raised = self.topics.state().kafka.raise_log_start(topic.name(), index, offset);
        raised.ok_or(DeleteRecordsError::UnknownPartition)?;
        partition.raise_log_start(offset);
        let version = self.persist.request(StateFile::Topics);
        Ok((partition.log_start(), Durability::written(version)))
    }
}
