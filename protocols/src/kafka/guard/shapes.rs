//! The shape of every request body the guard knows: one entry per API key.
//!
//! Only what decides lengths is written down: widths, strings, arrays, nullability, versions, tags. Names of fields
//! stand in the `kafka-protocol` crate. An entry's versions are what the guard can measure; what is *advertised* is
//! decided in the broker's own table, whose rows must lie inside these.
//! Source: Kafka 4.1 `clients/src/main/resources/common/message/*Request.json`.

/// What one field occupies on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Always this many bytes.
    Fixed(usize),
    /// Length prefix of 16 bits or a varint, then text.
    Text,
    /// Length prefix of 32 bits or a varint, then bytes.
    Blob,
    /// Count, then plain values; no tags after each.
    List(&'static Field),
    /// Count, then structures; each ends with its tags.
    Rows(&'static [Field]),
    /// One byte (negative: absent), then a structure.
    Maybe(&'static [Field]),
    /// A structure in place.
    Inner(&'static [Field]),
    /// A known tagged field of the enclosing structure.
    Tag(u32, &'static Field),
}

/// A field with the versions it exists in (both ends included) and those from which it may be null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    since: i16,
    until: i16,
    null_since: i16,
}

impl Field {
    const fn of(kind: Kind) -> Self {
        Self { kind, since: 0, until: i16::MAX, null_since: i16::MAX }
    }

    const fn since(self, version: i16) -> Self {
        Self { since: version, ..self }
    }

    const fn until(self, version: i16) -> Self {
        Self { until: version, ..self }
    }

    const fn nullable(self) -> Self {
        self.nullable_since(0)
    }

    const fn nullable_since(self, version: i16) -> Self {
        Self { null_since: version, ..self }
    }

    pub(crate) const fn exists_in(&self, version: i16) -> bool {
        self.since <= version && version <= self.until
    }

    pub(crate) const fn may_be_null_in(&self, version: i16) -> bool {
        self.null_since <= version
    }
}

/// One API: its key, name, measurable versions, first flexible version and body.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) key: i16,
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
    /// `i16::MAX` where the API never became flexible.
    pub(crate) flexible_since: i16,
    pub(crate) body: &'static [Field],
}

impl Shape {
    /// Whether bodies and headers of `version` use compact lengths and tags.
    pub(crate) const fn is_flexible(&self, version: i16) -> bool {
        self.flexible_since <= version
    }

    pub(crate) const fn measures(&self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// The shape of `key`, if the guard knows it.
pub(crate) fn shape(key: i16) -> Option<&'static Shape> {
    let at = SHAPES.binary_search_by_key(&key, |shape| shape.key).ok()?;
    SHAPES.get(at)
}

const BOOL: Field = Field::of(Kind::Fixed(1));
const I8: Field = Field::of(Kind::Fixed(1));
const I16: Field = Field::of(Kind::Fixed(2));
const I32: Field = Field::of(Kind::Fixed(4));
const I64: Field = Field::of(Kind::Fixed(8));
const F64: Field = Field::of(Kind::Fixed(8));
const UUID: Field = Field::of(Kind::Fixed(16));
const TEXT: Field = Field::of(Kind::Text);
const BLOB: Field = Field::of(Kind::Blob);
const I8S: Field = Field::of(Kind::List(&I8));
const I32S: Field = Field::of(Kind::List(&I32));
const I64S: Field = Field::of(Kind::List(&I64));
const TEXTS: Field = Field::of(Kind::List(&TEXT));

const fn rows(fields: &'static [Field]) -> Field {
    Field::of(Kind::Rows(fields))
}

const fn maybe(fields: &'static [Field]) -> Field {
    Field::of(Kind::Maybe(fields))
}

const fn inner(fields: &'static [Field]) -> Field {
    Field::of(Kind::Inner(fields))
}

const fn tag(number: u32, field: &'static Field) -> Field {
    Field::of(Kind::Tag(number, field))
}

const fn api(
    key: i16,
    name: &'static str,
    (min, max): (i16, i16),
    flexible_since: i16,
    body: &'static [Field],
) -> Shape {
    Shape { key, name, min, max, flexible_since, body }
}

/// Never flexible.
const NEVER: i16 = i16::MAX;

/// Topic name and its partition numbers.
const TOPIC_PARTITIONS: &[Field] = &[TEXT, I32S];
/// Topic id and its partition numbers.
const TOPIC_ID_PARTITIONS: &[Field] = &[UUID, I32S];
/// First offset, last offset, acknowledgement types (KIP-932).
const ACKNOWLEDGEMENTS: Field = rows(&[I64, I64, I8S]);
/// Resource type, name, pattern type, principal, host, operation, permission.
const ACL: &[Field] = &[I8, TEXT, I8, TEXT, TEXT, I8, I8];
/// The same where each text may be absent.
const ACL_FILTER: &[Field] = &[I8, TEXT.nullable(), I8, TEXT.nullable(), TEXT.nullable(), I8, I8];
/// Setting name and value.
const SETTING: &[Field] = &[TEXT, TEXT.nullable()];

const FETCH_PARTITION: &[Field] = &[
    I32,
    I32.since(9),
    I64,
    I32.since(12),
    I64.since(5),
    I32,
    tag(0, &UUID).since(17),
    tag(1, &I64).since(18),
];
const FETCH_TOPIC: &[Field] = &[TEXT.until(12), UUID.since(13), rows(FETCH_PARTITION)];
const FORGOTTEN_TOPIC: &[Field] = &[TEXT.until(12), UUID.since(13), I32S];
const FETCH_CLUSTER_ID: Field = TEXT.nullable();
const FETCH_REPLICA: Field = inner(&[I32, I64]);
const COMMIT_PARTITION: &[Field] = &[I32, I64, I32.since(6), TEXT.nullable()];
const TXN_COMMIT_PARTITION: &[Field] = &[I32, I64, I32.since(2), TEXT.nullable()];
const FETCH_OFFSETS_GROUP: &[Field] =
    &[TEXT, TEXT.since(9).nullable(), I32.since(9), rows(TOPIC_PARTITIONS).nullable()];
const NEW_TOPIC: &[Field] = &[TEXT, I32, I16, rows(&[I32, I32S]), rows(SETTING)];
const TXN_OF_BATCH: &[Field] = &[TEXT, I64, I16, BOOL, rows(TOPIC_PARTITIONS)];
const TXN_MARKER: &[Field] = &[I64, I16, BOOL, rows(TOPIC_PARTITIONS), I32];

/// Sorted by key.
#[rustfmt::skip]
pub(crate) const SHAPES: &[Shape] = &[
    api(0, "Produce", (3, 13), 9, &[TEXT.nullable(), I16, I32, rows(&[TEXT.until(12), UUID.since(13), rows(&[I32, BLOB.nullable()])])]),
    api(1, "Fetch", (4, 18), 12, &[I32.until(14), I32, I32, I32, I8, I32.since(7), I32.since(7), rows(FETCH_TOPIC),
        rows(FORGOTTEN_TOPIC).since(7), TEXT.since(11), tag(0, &FETCH_CLUSTER_ID), tag(1, &FETCH_REPLICA).since(15)]),
    api(2, "ListOffsets", (1, 10), 6, &[I32, I8.since(2), rows(&[TEXT, rows(&[I32, I32.since(4), I64])]), I32.since(10)]),
    api(3, "Metadata", (0, 13), 9, &[rows(&[UUID.since(10), TEXT.nullable_since(10)]).nullable_since(1), BOOL.since(4), BOOL.since(8).until(10), BOOL.since(8)]),
    api(8, "OffsetCommit", (2, 9), 8, &[TEXT, I32, TEXT, TEXT.since(7).nullable(), I64.until(4), rows(&[TEXT, rows(COMMIT_PARTITION)])]),
    api(9, "OffsetFetch", (1, 9), 6, &[TEXT.until(7), rows(TOPIC_PARTITIONS).until(7).nullable_since(2), rows(FETCH_OFFSETS_GROUP).since(8), BOOL.since(7)]),
    api(10, "FindCoordinator", (0, 6), 3, &[TEXT.until(3), I8.since(1), TEXTS.since(4)]),
    api(11, "JoinGroup", (0, 9), 6, &[TEXT, I32, I32.since(1), TEXT, TEXT.since(5).nullable(), TEXT, rows(&[TEXT, BLOB]), TEXT.since(8).nullable()]),
    api(12, "Heartbeat", (0, 4), 4, &[TEXT, I32, TEXT, TEXT.since(3).nullable()]),
    api(13, "LeaveGroup", (0, 5), 4, &[TEXT, TEXT.until(2), rows(&[TEXT, TEXT.nullable(), TEXT.since(5).nullable()]).since(3)]),
    api(14, "SyncGroup", (0, 5), 4, &[TEXT, I32, TEXT, TEXT.since(3).nullable(), TEXT.since(5).nullable(), TEXT.since(5).nullable(), rows(&[TEXT, BLOB])]),
    api(15, "DescribeGroups", (0, 6), 5, &[TEXTS, BOOL.since(3)]),
    api(16, "ListGroups", (0, 5), 3, &[TEXTS.since(4), TEXTS.since(5)]),
    api(17, "SaslHandshake", (0, 1), NEVER, &[TEXT]),
    api(18, "ApiVersions", (0, 4), 3, &[TEXT.since(3), TEXT.since(3)]),
    api(19, "CreateTopics", (2, 7), 5, &[rows(NEW_TOPIC), I32, BOOL]),
    api(20, "DeleteTopics", (1, 6), 4, &[rows(&[TEXT.nullable(), UUID]).since(6), TEXTS.until(5), I32]),
    api(21, "DeleteRecords", (0, 2), 2, &[rows(&[TEXT, rows(&[I32, I64])]), I32]),
    api(22, "InitProducerId", (0, 5), 2, &[TEXT.nullable(), I32, I64.since(3), I16.since(3)]),
    api(23, "OffsetForLeaderEpoch", (2, 4), 4, &[I32.since(3), rows(&[TEXT, rows(&[I32, I32, I32])])]),
    api(24, "AddPartitionsToTxn", (0, 5), 3, &[rows(TXN_OF_BATCH).since(4), TEXT.until(3), I64.until(3), I16.until(3), rows(TOPIC_PARTITIONS).until(3)]),
    api(25, "AddOffsetsToTxn", (0, 4), 3, &[TEXT, I64, I16, TEXT]),
    api(26, "EndTxn", (0, 5), 3, &[TEXT, I64, I16, BOOL]),
    api(27, "WriteTxnMarkers", (1, 1), 1, &[rows(TXN_MARKER)]),
    api(28, "TxnOffsetCommit", (0, 5), 3, &[TEXT, TEXT, I64, I16, I32.since(3), TEXT.since(3), TEXT.since(3).nullable(), rows(&[TEXT, rows(TXN_COMMIT_PARTITION)])]),
    api(29, "DescribeAcls", (1, 3), 2, ACL_FILTER),
    api(30, "CreateAcls", (1, 3), 2, &[rows(ACL)]),
    api(31, "DeleteAcls", (1, 3), 2, &[rows(ACL_FILTER)]),
    api(32, "DescribeConfigs", (1, 4), 4, &[rows(&[I8, TEXT, TEXTS.nullable()]), BOOL, BOOL.since(3)]),
    api(33, "AlterConfigs", (0, 2), 2, &[rows(&[I8, TEXT, rows(SETTING)]), BOOL]),
    api(35, "DescribeLogDirs", (1, 4), 2, &[rows(TOPIC_PARTITIONS).nullable()]),
    api(36, "SaslAuthenticate", (0, 2), 2, &[BLOB]),
    api(37, "CreatePartitions", (0, 3), 2, &[rows(&[TEXT, I32, rows(&[I32S]).nullable()]), I32, BOOL]),
    api(42, "DeleteGroups", (0, 2), 2, &[TEXTS]),
    api(43, "ElectLeaders", (0, 2), 2, &[I8.since(1), rows(TOPIC_PARTITIONS).nullable(), I32]),
    api(44, "IncrementalAlterConfigs", (0, 1), 1, &[rows(&[I8, TEXT, rows(&[TEXT, I8, TEXT.nullable()])]), BOOL]),
    api(45, "AlterPartitionReassignments", (0, 1), 0, &[I32, BOOL.since(1), rows(&[TEXT, rows(&[I32, I32S.nullable()])])]),
    api(46, "ListPartitionReassignments", (0, 0), 0, &[I32, rows(TOPIC_PARTITIONS).nullable()]),
    api(47, "OffsetDelete", (0, 0), NEVER, &[TEXT, rows(&[TEXT, rows(&[I32])])]),
    api(48, "DescribeClientQuotas", (0, 1), 1, &[rows(&[TEXT, I8, TEXT.nullable()]), BOOL]),
    api(49, "AlterClientQuotas", (0, 1), 1, &[rows(&[rows(SETTING), rows(&[TEXT, F64, BOOL])]), BOOL]),
    api(50, "DescribeUserScramCredentials", (0, 0), 0, &[rows(&[TEXT]).nullable()]),
    api(51, "AlterUserScramCredentials", (0, 0), 0, &[rows(&[TEXT, I8]), rows(&[TEXT, I8, I32, BLOB, BLOB])]),
    api(55, "DescribeQuorum", (0, 2), 0, &[rows(&[TEXT, rows(&[I32])])]),
    api(57, "UpdateFeatures", (0, 2), 0, &[I32, rows(&[TEXT, I16, BOOL.until(0), I8.since(1)]), BOOL.since(1)]),
    api(60, "DescribeCluster", (0, 2), 0, &[BOOL, I8.since(1), BOOL.since(2)]),
    api(61, "DescribeProducers", (0, 0), 0, &[rows(TOPIC_PARTITIONS)]),
    api(65, "DescribeTransactions", (0, 0), 0, &[TEXTS]),
    api(66, "ListTransactions", (0, 2), 0, &[TEXTS, I64S, I64.since(1), TEXT.since(2).nullable()]),
    api(68, "ConsumerGroupHeartbeat", (0, 1), 0, &[TEXT, TEXT, I32, TEXT.nullable(), TEXT.nullable(), I32, TEXTS.nullable(),
        TEXT.since(1).nullable(), TEXT.nullable(), rows(TOPIC_ID_PARTITIONS).nullable()]),
    api(69, "ConsumerGroupDescribe", (0, 1), 0, &[TEXTS, BOOL]),
    api(74, "ListConfigResources", (0, 1), 0, &[I8S.since(1)]),
    api(75, "DescribeTopicPartitions", (0, 0), 0, &[rows(&[TEXT]), I32, maybe(&[TEXT, I32])]),
    api(76, "ShareGroupHeartbeat", (1, 1), 0, &[TEXT, TEXT, I32, TEXT.nullable(), TEXTS.nullable()]),
    api(77, "ShareGroupDescribe", (1, 1), 0, &[TEXTS, BOOL]),
    api(78, "ShareFetch", (1, 1), 0, &[TEXT.nullable(), TEXT.nullable(), I32, I32, I32, I32, I32, I32,
        rows(&[UUID, rows(&[I32, ACKNOWLEDGEMENTS])]), rows(TOPIC_ID_PARTITIONS)]),
    api(79, "ShareAcknowledge", (1, 1), 0, &[TEXT.nullable(), TEXT.nullable(), I32, rows(&[UUID, rows(&[I32, ACKNOWLEDGEMENTS])])]),
];
