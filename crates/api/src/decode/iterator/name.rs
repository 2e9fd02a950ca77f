//! What Go calls a member that JSON calls otherwise.
//!
//! Invariant: names derive from the member's own; only what Go spells in capitals is listed.

use crate::schema::{Field, FieldKind, Type};

/// JSON beginnings that Go writes in capitals.
const CAPITALS: &[(&str, &str)] = &[
    ("api", "API"),
    ("aws", "AWS"),
    ("ca", "CA"),
    ("cephfs", "CephFS"),
    ("cidr", "CIDR"),
    ("csi", "CSI"),
    ("dns", "DNS"),
    ("fs", "FS"),
    ("fc", "FC"),
    ("gce", "GCE"),
    ("http", "HTTP"),
    ("id", "ID"),
    ("ip", "IP"),
    ("iqn", "IQN"),
    ("iscsi", "ISCSI"),
    ("json", "JSON"),
    ("nfs", "NFS"),
    ("os", "OS"),
    ("pd", "PD"),
    ("qos", "QOS"),
    ("rbd", "RBD"),
    ("se", "SE"),
    ("ssl", "SSL"),
    ("storageos", "StorageOS"),
    ("tcp", "TCP"),
    ("tls", "TLS"),
    ("ttl", "TTL"),
    ("tty", "TTY"),
    ("uid", "UID"),
    ("uri", "URI"),
    ("url", "URL"),
    ("vxlan", "VXLAN"),
    ("wwids", "WWIDs"),
];

/// `qosClass` → `QOSClass`, `metadata` → `ObjectMeta`.
pub(super) fn go_name(field: &Field) -> String {
    if field.name == "metadata"
        && let FieldKind::Object(of) = field.kind
    {
        return of.short_name().to_owned();
    }
    let word = field.name.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(field.name.len());
    let (first, rest) = field.name.split_at(word);
    match CAPITALS.iter().find(|(json, _)| *json == first) {
        Some((_, go)) => format!("{go}{rest}"),
        None => {
            let mut letters = field.name.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    }
}

/// The embedded struct that a member stands in: `TypeMeta: `, `VolumeSource: `, mostly nothing.
pub(super) fn outer_name(of: &'static Type, field: &Field) -> String {
    if !of.served.is_empty() && matches!(field.name, "kind" | "apiVersion") {
        return "TypeMeta: ".to_owned();
    }
    match of.inlines.iter().find(|inline| inline.of.field(field.name).is_some()) {
        // Kubernetes 1.11 calls what a probe does its handler.
        Some(inline) if inline.of.short_name() == "ProbeHandler" => "Handler: ".to_owned(),
        Some(inline) => {
            format!("{}: {}", inline.of.short_name(), outer_name(inline.of, field))
        }
        None => String::new(),
    }
}
