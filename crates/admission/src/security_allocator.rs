//! The block of user ids, groups and `SELinux` categories that every namespace has for itself.
//!
//! Blocks are given out in order, the first free one first; the `SELinux` label follows from the number
//! of the block.
//!
//! Deviation: upstream's controller annotates a namespace some time after it was created. Here the
//! namespace is born with its annotations, so that a pod may follow at once; the controller serves
//! namespaces that came about in other ways.
//!
//! Mirrors: `openshift/origin:pkg/security/controller/namespace_security_allocation_controller.go`,
//! `openshift/origin:pkg/security/mcs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::NAMESPACES;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, ApiServer, PatchKind};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, Key, Requeue, Watching, same_key,
};
use parking_lot::Mutex;

use crate::request::{all, creates};

pub(crate) const UID_RANGE: &str = "openshift.io/sa.scc.uid-range";
pub(crate) const GROUPS: &str = "openshift.io/sa.scc.supplemental-groups";
pub(crate) const MCS: &str = "openshift.io/sa.scc.mcs";

const FIRST_UID: u64 = 1_000_000_000;
const LAST_UID: u64 = 1_999_999_999;
const BLOCK: u64 = 10_000;
const LABELS_PER_NAMESPACE: u64 = 5;

/// The blocks that are given out; shared by the plugin and the controller.
///
/// The namespaces' annotations are the truth. What is kept here besides are blocks of namespaces that
/// are being created at this moment.
#[derive(Debug, Clone, Default)]
pub struct SecurityAllocator(Arc<Mutex<BTreeSet<u64>>>);

impl SecurityAllocator {
    /// The annotations of a namespace that has none yet; `None` when all blocks are taken.
    fn allocate(&self, server: &ApiServer) -> Option<[(&'static str, String); 3]> {
        let mut taken = self.0.lock();
        if taken.is_empty() {
            let namespaces = all(server, &NAMESPACES, "");
            taken.extend(namespaces.iter().filter_map(|namespace| block_of(namespace)));
        }
        let free = (0..).zip(taken.iter()).find(|(index, block)| index != *block);
        let block = free.map_or(taken.len() as u64, |(index, _)| index);
        if FIRST_UID + (block + 1) * BLOCK - 1 > LAST_UID {
            return None;
        }
        taken.insert(block);
        let range = format!("{}/{BLOCK}", FIRST_UID + block * BLOCK);
        Some([(UID_RANGE, range.clone()), (GROUPS, range), (MCS, label(block))])
    }

    fn take(&self, block: u64) {
        let mut taken = self.0.lock();
        if !taken.is_empty() {
            taken.insert(block);
        }
    }

    fn give_back(&self, block: u64) {
        self.0.lock().remove(&block);
    }
}

/// The number of a namespace's block.
fn block_of(namespace: &Value) -> Option<u64> {
    let (start, _) = namespace.annotation(UID_RANGE)?.split_once('/')?;
    let start: u64 = start.parse().ok()?;
    (FIRST_UID..=LAST_UID).contains(&start).then(|| (start - FIRST_UID) / BLOCK)
}

/// The label of a block: two categories of 1024, by the combinatorial number of the block.
fn label(block: u64) -> String {
    let offset = block * LABELS_PER_NAMESPACE;
    let pairs = |n: u64| n * n.saturating_sub(1) / 2;
    let high = (1..1024).take_while(|n| pairs(*n) <= offset).last().unwrap_or(1);
    format!("s0:c{high},c{}", offset - pairs(high))
}

impl Admission for SecurityAllocator {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !creates(request, &NAMESPACES) || request.call.options.dry_run {
            return Ok(());
        }
        if request.object.annotation(UID_RANGE).is_some() {
            if let Some(block) = block_of(request.object) {
                self.take(block);
            }
            return Ok(());
        }
        for (key, value) in self.allocate(request.server).into_iter().flatten() {
            request.object.set_annotation(key, &value);
        }
        Ok(())
    }
}

/// Annotates namespaces that have no block, and frees the blocks of those that are gone.
#[derive(Debug)]
pub struct NamespaceSecurityAllocation(pub SecurityAllocator);

impl Controller for NamespaceSecurityAllocation {
    fn name(&self) -> &'static str {
        "namespace-security-allocation-controller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&NAMESPACES, own_or_freed)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        if let Some(block) = key.name().strip_prefix(FREED).and_then(|block| block.parse().ok()) {
            self.0.give_back(block);
            return Ok(Requeue::Done);
        }
        let Some(namespace) = cx.caches.get_key(&NAMESPACES, key) else { return Ok(Requeue::Done) };
        if namespace.annotation(UID_RANGE).is_some() || namespace.deletion_timestamp().is_some() {
            return Ok(Requeue::Done);
        }
        let server = cx.client.server();
        let found = self.0.allocate(server);
        let annotations = found.ok_or_else(|| Error::Terminal("uid range exceeded".to_owned()))?;
        let map: apimachinery::Map =
            annotations.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
        let patch = json!({"metadata": {"annotations": map}});
        cx.client.patch(&NAMESPACES, "", key.name(), PatchKind::Merge, patch)?;
        Ok(Requeue::Done)
    }
}

fn own_or_freed(caches: &Caches, change: &Change) -> Vec<Key> {
    if change.new.is_some() {
        return same_key(caches, change);
    }
    let freed = block_of(change.object()).map(|block| Key::new("", &format!("{FREED}{block}")));
    freed.into_iter().collect()
}

/// Begins the keys that stand for freed blocks; no namespace has such a name.
const FREED: &str = "freed:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_block() {
        // The recorded namespace with the range 1000440000/10000 has s0:c21,c10.
        for (block, expected) in
            [(0, "s0:c1,c0"), (1, "s0:c3,c2"), (44, "s0:c21,c10"), (69, "s0:c26,c20")]
        {
            assert_eq!(label(block), expected);
        }
    }

    #[test]
    fn blocks_are_read_from_ranges() {
        let of = |range: &str| block_of(&json!({"metadata": {"annotations": {UID_RANGE: range}}}));
        assert_eq!(of("1000440000/10000"), Some(44));
        assert_eq!(of("5/10000"), None);
        assert_eq!(block_of(&json!({})), None);
    }
}
