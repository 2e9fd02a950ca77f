//! `ImageLocalityPriority`: nodes that have the pod's images already, by their size.
//!
//! Mirrors: `image_locality.go`.

use std::borrow::Cow;

use apimachinery::ObjectExt as _;

use crate::pod::PodInfo;
use crate::priorities::{MAX, Priority, Reads};
use crate::snapshot::NodeInfo;

const MEBIBYTE: i64 = 1024 * 1024;
/// Images smaller than this do not count.
const SMALLEST: i64 = 23 * MEBIBYTE;
/// Images larger than this count fully.
const LARGEST: i64 = 1000 * MEBIBYTE;

#[derive(Debug)]
pub(super) struct ImageLocality;

impl Priority for ImageLocality {
    fn name(&self) -> &str {
        "ImageLocalityPriority"
    }

    fn reads(&self) -> Reads {
        Reads::Images
    }

    fn raw(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let containers = pod.pod.list_at(&["spec", "containers"]).iter();
        let size: i64 = containers
            .filter_map(|container| {
                node.images.get(&*normalised(container.str_at(&["image"]))).copied()
            })
            .sum();
        match size {
            small if small < SMALLEST => 0,
            large if large >= LARGEST => MAX,
            size => MAX * (size - SMALLEST) / (LARGEST - SMALLEST) + 1,
        }
    }
}

/// The name of an image with a tag.
#[must_use]
pub fn normalised(image: &str) -> Cow<'_, str> {
    let tagged = image.rfind(':') > image.rfind('/');
    if tagged { Cow::Borrowed(image) } else { Cow::Owned(format!("{image}:latest")) }
}
