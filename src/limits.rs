//! Every bound of the system, each with its reason.
//!
//! What a user may set stands in `config`; these are the bounds that keep one peer, or one bug, from taking the
//! memory or the descriptors of all. Sizes are bytes unless the name says otherwise.

use std::time::Duration;

/// A remoting frame with its prefix: Java's `com.rocketmq.remoting.frameMaxLength`.
pub const REMOTING_FRAME_SIZE: usize = 16 << 20;
/// The header of a remoting frame: far above any real header (a few KB), far below the frame.
pub const REMOTING_HEADER_SIZE: usize = 1 << 20;
/// A Kafka request: the default of `socket.request.max.bytes`; only Produce may be that large (the guard's table
/// holds each key to about 1 MiB).
pub const KAFKA_FRAME_SIZE: usize = 100 << 20;
/// Any frame before its connection is authenticated: KIP-368 clients send tokens below this.
pub const UNAUTHENTICATED_FRAME_SIZE: usize = 512 << 10;
/// Elements in all arrays of one Kafka request: 100,000 partitions with some fields each.
pub const KAFKA_FRAME_ELEMENTS: usize = 1_000_000;
/// Nesting of a JSON header or body: real ones have 6.
pub const JSON_DEPTH: usize = 64;
/// Decompressed size of one record batch or message body: 16 times the largest batch that is accepted by default.
pub const DECOMPRESSED_SIZE: usize = 64 << 20;

/// Requests of one Kafka connection that wait for their answer; clients send 5 at a time, librdkafka up to 64.
pub const KAFKA_PARKED_PER_CONNECTION: usize = 64;
/// Waiting requests of one remoting connection: a Java client sends all its long polls over one connection, so
/// this bounds memory only and never stops the reading.
pub const REMOTING_WAITERS_PER_CONNECTION: usize = 50_000;

/// Queues of all topics in one list of topics to create: four of the largest topics, 4 MiB of slots.
pub const QUEUES_PER_TOPIC_LIST: i64 = 262_144;

/// Partitions of all Kafka fetch sessions together: 1,000 clients with 1,000 each, some 100 MB.
pub const FETCH_SESSION_PARTITIONS: usize = 1_000_000;

/// Connections of all listeners: below the usual descriptor limit of a service (65,536) with room for files.
pub const CONNECTIONS: usize = 50_000;
/// Connections from one address: a proxy or a NAT in front of a whole fleet still fits.
pub const CONNECTIONS_PER_ADDRESS: usize = 20_000;

/// Output that waits in one connection before its reading stops: one full fetch answer stays below twice this.
pub const OUTPUT_PER_CONNECTION: usize = 8 << 20;
/// First and smallest read buffer: a hundred small requests, and two pages for an idle-again connection.
pub const READ_CHUNK_MIN: usize = 8 << 10;
/// Largest growth of a read buffer in one step.
pub const READ_CHUNK_MAX: usize = 1 << 20;
/// What one connection reads before other tasks get their turn.
pub const READ_PER_TURN: usize = 1 << 20;
/// Part of each read buffer that is always granted: small requests go on when `READ_BUFFERS` is used up.
pub const READ_BUFFER_FREE: usize = 2 * READ_CHUNK_MIN;
/// Read buffers of all connections, beyond `READ_BUFFER_FREE` each: ten of the largest Kafka frames.
pub const READ_BUFFERS: usize = 1 << 30;
/// Input that is read and dropped after a last answer, so that the close does not reset it away.
pub const DRAINED_AT_CLOSE: usize = 256 << 10;

/// How long a stopping server, or a connection with a last answer, waits for its peers to take what is written.
pub const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// Pause after an `accept` that failed for want of descriptors or memory: connections end meanwhile.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often a refused connection is logged, however many are refused.
pub const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(5);
/// Tries to find a free port whose neighbours are free too.
pub const FREE_PORT_TRIES: usize = 64;

/// Connections of each HTTP port: dashboards and probes are few.
pub const HTTP_CONNECTIONS: usize = 256;
/// Rows of one answer of /metrics that name a topic or a group: the busiest, and those farthest behind, matter.
pub const METRIC_ROWS: usize = 1_000;
/// Of those, groups whose oldest message is looked up: each costs a read of every queue that is behind.
pub const METRIC_LATENCY_ROWS: usize = 50;
/// A call to a name server, its connection included: a stop waits for one that hangs.
pub const NAME_SERVER_CALL: Duration = Duration::from_secs(5);
/// Topics of one registration request: some 3 MB, far below the largest frame, and above all but the largest brokers.
pub const TOPICS_PER_REGISTRATION: usize = 20_000;
/// Groups of native clients that are counted for one topic; those that come later are served, not counted.
pub const COUNTED_GROUPS_PER_TOPIC: usize = 1_000;
/// Units of a queue that one request shows: 100 KB of JSON, more than anybody reads.
pub const QUEUE_UNITS: usize = 1_000;
/// A configuration file: a thousand times any real one.
pub const CONFIG_FILE_SIZE: u64 = 4 << 20;

/// Groups with settings: each is a few hundred bytes in memory and in a file that is written as a whole.
pub const SUBSCRIPTION_GROUPS: usize = 100_000;
/// Questions to clients that are open at a time: each holds a request of an administrator for 10 seconds at most.
pub const CLIENT_CALLS: usize = 10_000;
/// Locks of orderly consumers in all groups: ten groups on 100,000 queues.
pub const QUEUE_LOCKS: usize = 1_000_000;

/// How long a pull is held at most: RocketMQ clients give up after 30 s.
pub const PULL_HOLD_MS: i64 = 29_000;
/// Distance from the end of the log within which messages are taken to be in memory: a tenth of a small machine.
pub const IN_MEMORY_BYTES: i64 = 1 << 30;
