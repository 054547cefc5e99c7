//! Which queues of a topic a native consumer takes: what clients compute for themselves unless told otherwise.
//!
//! The broker never decides this; it shows it to administrators. Clients with another strategy differ.
//! Source: RocketMQ 5.3.3 `client/consumer/rebalance/AllocateMessageQueueAveragely.java`.

use std::ops::Range;

/// The default strategy's name for itself.
pub const AVERAGELY: &str = "AVG";

/// The queues of member `index` among `members` sorted by client id, when a topic has `queues`: neighbours, the first
/// members one more when it does not come out even.
pub fn averagely(queues: i32, members: usize, index: usize) -> Range<i32> {
    let count = usize::try_from(queues).unwrap_or(0);
    if members == 0 || members <= index {
        return 0..0;
    }
    let (each, more) = (count / members, count % members);
    let start = index * each + index.min(more);
    let end = start + each + usize::from(index < more);
    let queue = |at: usize| i32::try_from(at).unwrap_or(queues);
    queue(start)..queue(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_every_queue_to_one_member() {
        let shares = |queues, members: usize| (0..members).map(|at| averagely(queues, members, at)).collect();
        let check = |queues, members, expected: Vec<Range<i32>>| {
            let found: Vec<Range<i32>> = shares(queues, members);
            assert_eq!(found, expected);
        };
        check(8, 3, vec![0..3, 3..6, 6..8]);
        check(2, 3, vec![0..1, 1..2, 2..2]);
        assert_eq!(averagely(4, 1, 0), 0..4);
        check(0, 2, vec![0..0, 0..0]);
        assert_eq!(averagely(4, 0, 0), 0..0);
    }
}
