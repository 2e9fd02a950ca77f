//! `EqualPriority`: every node is as good as any other.

use crate::pod::PodInfo;
use crate::priorities::Priority;
use crate::snapshot::NodeInfo;

#[derive(Debug)]
pub(super) struct Equal;

impl Priority for Equal {
    fn name(&self) -> &str {
        "EqualPriority"
    }

    fn raw(&self, _: &PodInfo, _: &NodeInfo) -> i64 {
        1
    }
}
