//! Transactions: comparisons, and what to do when all of them hold or one does not.
//!
//! Mirrors: `etcd-io/etcd:server/etcdserver/txn/txn.go`.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::error::Error;
use crate::lease::LeaseId;
use crate::range::{Range, RangeResponse};
use crate::value::{KeyValue, Revision, Value};

/// The relation a comparison asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `>`
    Greater,
}

impl CompareOp {
    fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::NotEqual => ordering != Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::Greater => ordering == Some(Ordering::Greater),
        }
    }
}

/// What of a key is compared, and with what. A missing key has 0 for every number and no lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<V> {
    /// The number of puts since creation; 0 exactly when the key does not exist.
    Version(u64),
    /// The revision of creation.
    CreateRevision(Revision),
    /// The revision of the last change.
    ModRevision(Revision),
    /// The value; no comparison with a missing key's value holds.
    Value(V),
    /// The lease; none orders before all.
    Lease(Option<LeaseId>),
}

/// One comparison: the key's field, on the left, against the target's, on the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compare<V> {
    /// The key.
    pub key: Arc<str>,
    /// The relation.
    pub op: CompareOp,
    /// The field and what it is compared with.
    pub target: Target<V>,
}

/// A comparison that still lacks its relation; see [`Compare::version`] and its siblings.
#[derive(Debug)]
pub struct CompareOperand<T, V> {
    key: Arc<str>,
    target: fn(T) -> Target<V>,
}

impl<T, V> CompareOperand<T, V> {
    /// Holds when the field equals `operand`.
    pub fn equal(self, operand: T) -> Compare<V> {
        self.with(CompareOp::Equal, operand)
    }

    /// Holds when the field differs from `operand`.
    pub fn not_equal(self, operand: T) -> Compare<V> {
        self.with(CompareOp::NotEqual, operand)
    }

    /// Holds when the field is less than `operand`.
    pub fn less(self, operand: T) -> Compare<V> {
        self.with(CompareOp::Less, operand)
    }

    /// Holds when the field is greater than `operand`.
    pub fn greater(self, operand: T) -> Compare<V> {
        self.with(CompareOp::Greater, operand)
    }

    fn with(self, op: CompareOp, operand: T) -> Compare<V> {
        Compare { key: self.key, op, target: (self.target)(operand) }
    }
}

impl<V> Compare<V> {
    /// Compares the number of puts since creation.
    pub fn version(key: impl Into<Arc<str>>) -> CompareOperand<u64, V> {
        CompareOperand { key: key.into(), target: Target::Version }
    }

    /// Compares the revision of creation.
    pub fn create_revision(key: impl Into<Arc<str>>) -> CompareOperand<Revision, V> {
        CompareOperand { key: key.into(), target: Target::CreateRevision }
    }

    /// Compares the revision of the last change.
    pub fn mod_revision(key: impl Into<Arc<str>>) -> CompareOperand<Revision, V> {
        CompareOperand { key: key.into(), target: Target::ModRevision }
    }

    /// Compares the value.
    pub fn value(key: impl Into<Arc<str>>) -> CompareOperand<V, V> {
        CompareOperand { key: key.into(), target: Target::Value }
    }

    /// Compares the lease.
    pub fn lease(key: impl Into<Arc<str>>) -> CompareOperand<Option<LeaseId>, V> {
        CompareOperand { key: key.into(), target: Target::Lease }
    }

    /// Holds when the key does not exist.
    pub fn absent(key: impl Into<Arc<str>>) -> Self {
        Self::version(key).equal(0)
    }

    /// Holds when the key exists.
    pub fn present(key: impl Into<Arc<str>>) -> Self {
        Self::version(key).not_equal(0)
    }
}

impl<V: Value> Compare<V> {
    /// Whether the comparison holds for the key as it is now.
    pub(crate) fn holds(&self, current: Option<&KeyValue<V>>) -> bool {
        let number = |field: fn(&KeyValue<V>) -> u64, operand: &u64| {
            Some(current.map_or(0, field).cmp(operand))
        };
        let ordering = match &self.target {
            Target::Version(operand) => number(|kv| kv.version, operand),
            Target::CreateRevision(operand) => number(|kv| kv.create_revision, operand),
            Target::ModRevision(operand) => number(|kv| kv.mod_revision, operand),
            Target::Lease(operand) => Some(current.and_then(|kv| kv.lease).cmp(operand)),
            Target::Value(operand) => match current {
                Some(kv) => kv.value.compare(operand),
                None => return false,
            },
        };
        self.op.holds(ordering)
    }
}

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op<V> {
    /// Creates or changes a key.
    Put {
        /// The key.
        key: Arc<str>,
        /// Its new value.
        value: V,
        /// The lease it ends with; `None` also takes it off the lease it had.
        lease: Option<LeaseId>,
    },
    /// Deletes a key if it exists.
    Delete {
        /// The key.
        key: Arc<str>,
    },
    /// Deletes every key of a range; limit and revision do not apply.
    DeleteRange(Range),
    /// Reads, seeing the steps before it.
    Range(Range),
}

impl<V> Op<V> {
    /// Creates or changes `key`, without a lease.
    pub fn put(key: impl Into<Arc<str>>, value: V) -> Self {
        Self::Put { key: key.into(), value, lease: None }
    }

    /// Creates or changes `key`, which ends with `lease`.
    pub fn put_leased(key: impl Into<Arc<str>>, value: V, lease: LeaseId) -> Self {
        Self::Put { key: key.into(), value, lease: Some(lease) }
    }

    /// Deletes `key` if it exists.
    pub fn delete(key: impl Into<Arc<str>>) -> Self {
        Self::Delete { key: key.into() }
    }

    /// Deletes every key that begins with `prefix`.
    pub fn delete_prefix(prefix: impl Into<String>) -> Self {
        Self::DeleteRange(Range::prefix(prefix))
    }

    /// Reads the one key `key`.
    pub fn get(key: impl Into<String>) -> Self {
        Self::Range(Range::key(key))
    }
}

/// A transaction: when all comparisons hold the `then` steps run, otherwise the `else` steps, all at
/// one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Txn<V> {
    /// The comparisons.
    pub compares: Vec<Compare<V>>,
    /// The steps when all hold.
    pub then: Vec<Op<V>>,
    /// The steps when one does not.
    pub otherwise: Vec<Op<V>>,
}

impl<V> Default for Txn<V> {
    fn default() -> Self {
        Self { compares: Vec::new(), then: Vec::new(), otherwise: Vec::new() }
    }
}

impl<V> Txn<V> {
    /// A transaction without comparisons, which succeeds, and without steps.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a comparison.
    #[must_use]
    pub fn when(mut self, compare: Compare<V>) -> Self {
        self.compares.push(compare);
        self
    }

    /// Adds a step for success.
    #[must_use]
    pub fn then(mut self, op: Op<V>) -> Self {
        self.then.push(op);
        self
    }

    /// Adds a step for failure.
    #[must_use]
    pub fn otherwise(mut self, op: Op<V>) -> Self {
        self.otherwise.push(op);
        self
    }

    /// Refuses a branch that would change a key twice: two puts of it, or a put and a deletion.
    pub(crate) fn check_duplicates(&self) -> Result<(), Error> {
        [&self.then, &self.otherwise].into_iter().try_for_each(|ops| check_branch(ops))
    }
}

fn check_branch<V>(ops: &[Op<V>]) -> Result<(), Error> {
    if ops.len() < 2 {
        return Ok(());
    }
    let mut keys: Vec<&Arc<str>> = ops
        .iter()
        .filter_map(|op| if let Op::Put { key, .. } = op { Some(key) } else { None })
        .collect();
    keys.sort_unstable();
    let twice = keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    let deleted = || keys.iter().copied().find(|key| ops.iter().any(|op| deletes(op, key)));
    match twice.or_else(deleted) {
        Some(key) => Err(Error::DuplicateKey { key: Arc::clone(key) }),
        None => Ok(()),
    }
}

fn deletes<V>(op: &Op<V>, key: &str) -> bool {
    match op {
        Op::Delete { key: deleted } => &**deleted == key,
        Op::DeleteRange(range) => range.contains(key),
        Op::Put { .. } | Op::Range(_) => false,
    }
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpResponse<V> {
    /// Answers [`Op::Put`].
    Put {
        /// The version now stored.
        kv: Arc<KeyValue<V>>,
        /// The version before.
        prev: Option<Arc<KeyValue<V>>>,
    },
    /// Answers [`Op::Delete`] and [`Op::DeleteRange`] with the last versions of the deleted keys.
    Delete {
        /// The versions that were deleted, in byte order of their keys.
        deleted: Vec<Arc<KeyValue<V>>>,
    },
    /// Answers [`Op::Range`].
    Range(RangeResponse<V>),
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnResponse<V> {
    /// Whether all comparisons held.
    pub succeeded: bool,
    /// The store's revision after the transaction; unchanged when no step changed anything.
    pub revision: Revision,
    /// One answer per step of the branch that ran.
    pub responses: Vec<OpResponse<V>>,
}
