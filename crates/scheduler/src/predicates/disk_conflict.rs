//! `NoDiskConflict`: no two pods of a node share a disk that only one may have.

use apimachinery::{ObjectExt as _, Value};

use crate::predicates::{Answer, Predicate, Reason, Request, Scope, unless};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) had no available disk");

#[derive(Debug)]
pub(super) struct NoDiskConflict;

impl Predicate for NoDiskConflict {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "NoDiskConflict"
    }

    fn scope(&self) -> Scope {
        Scope::Volumes
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        if !request.pod.has_volumes {
            return Ok(Vec::new());
        }
        let wanted = request.pod.pod.list_at(&["spec", "volumes"]);
        let others = node.pods.values().filter(|other| other.has_volumes);
        let mut taken = others.flat_map(|other| other.pod.list_at(&["spec", "volumes"]));
        unless(!taken.any(|taken| wanted.iter().any(|wanted| conflict(wanted, taken))), &REASON)
    }
}

fn conflict(a: &Value, b: &Value) -> bool {
    let both = |kind: &str| {
        let (a, b) = (a.get(kind)?, b.get(kind)?);
        (a.is_object() && b.is_object()).then_some((a, b))
    };
    let read_only = |a: &Value, b: &Value| a.bool_at(&["readOnly"]) && b.bool_at(&["readOnly"]);
    let same = |a: &Value, b: &Value, field: &str| a.str_at(&[field]) == b.str_at(&[field]);
    if let Some((a, b)) = both("gcePersistentDisk") {
        return same(a, b, "pdName") && !read_only(a, b);
    }
    if let Some((a, b)) = both("awsElasticBlockStore") {
        return same(a, b, "volumeID");
    }
    if let Some((a, b)) = both("iscsi") {
        return same(a, b, "iqn") && !read_only(a, b);
    }
    let Some((a, b)) = both("rbd") else { return false };
    let shared = a.list_at(&["monitors"]).iter().any(|m| b.list_at(&["monitors"]).contains(m));
    let pool = |volume: &Value| match volume.str_at(&["pool"]) {
        "" => "rbd".to_owned(),
        pool => pool.to_owned(),
    };
    shared && pool(a) == pool(b) && same(a, b, "image") && !read_only(a, b)
}
