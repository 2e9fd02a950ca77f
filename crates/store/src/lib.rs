//! The etcd substitute: a key-value store with one history of revisions.
//!
//! Every change raises one revision counter; all changes of one transaction share a revision. Each
//! key carries the revision it was created at, the revision it was last changed at, and the count of
//! changes since its creation. A retained revision stays readable, and a [`Watcher`] replays the
//! changes after any retained revision, in order.
//!
//! ```
//! use store::{Compare, Op, Range, Store, Txn};
//!
//! let store: Store<String> = Store::new(world::World::simulated(1));
//! let a = store.put("/pods/a", "first".to_owned()); // revision 2
//! let mut watcher = store.watch("/pods/", a.mod_revision)?;
//! let guarded = Txn::new()
//!     .when(Compare::mod_revision("/pods/a").equal(a.mod_revision))
//!     .then(Op::put("/pods/a", "second".to_owned())); // revision 3
//! assert!(store.txn(guarded)?.succeeded);
//! assert_eq!(watcher.try_next()?.map(|event| event.revision), Some(3));
//! assert_eq!(store.range(&Range::prefix("/pods/").at(2))?.kvs[0].value, "first");
//! # Ok::<(), store::Error>(())
//! ```
//!
//! Reading order: [`value`] (what is kept), [`range`] and [`txn`] (what can be asked), [`watch`]
//! (how changes are followed), [`lease`] (how keys die with their owner), [`store`](mod@store) (the
//! handle); behind them `place` (the order of keys), `index` (keys and their versions), `log` (events
//! in order) and `state` (how a change is applied).
//!
//! Lock order: the state's lock, then a watcher's own. Wakes run with neither held.
//!
//! Invariant: revisions of events never fall; a key changes at most once per revision.
//! Invariant: no watcher slows a writer down; one that falls behind the retained history is told
//! [`Error::Compacted`], it never misses an event silently.
//! Invariant: the store knows nothing of kinds, JSON or HTTP.
#![warn(missing_docs)]

pub mod error;
pub mod lease;
pub mod range;
pub mod store;
pub mod txn;
pub mod value;
pub mod watch;

mod index;
mod log;
mod place;
mod state;

pub use crate::error::{Conflict, Error};
pub use crate::lease::{LeaseId, LeaseInfo};
pub use crate::range::{End, Range, RangeResponse};
pub use crate::store::{Options, Store};
pub use crate::txn::{
    Compare, CompareOp, CompareOperand, Op, OpResponse, Target, Txn, TxnResponse,
};
pub use crate::value::{Event, EventKind, KeyValue, Revision, Value};
pub use crate::watch::{Wake, Watcher};
