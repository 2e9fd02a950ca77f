//! The table against facts that anyone who knows the API would expect.

use apimachinery::json;

use super::{FieldKind, ListType, Presence, Type, table, type_of};

fn get(group: &str, version: &str, kind: &str) -> &'static Type {
    type_of(group, version, kind).unwrap_or_else(|| panic!("{group}/{version} {kind}"))
}

fn object(of: &'static Type, path: &[&str]) -> &'static Type {
    path.iter().fold(of, |of, name| {
        let mut kind = of.field(name).unwrap_or_else(|| panic!("{} {name}", of.name)).kind;
        while let FieldKind::Array(inner) | FieldKind::Map(inner) = kind {
            kind = *inner;
        }
        match kind {
            FieldKind::Object(inner) => inner,
            other => panic!("{name} is {other:?}"),
        }
    })
}

#[test]
fn knows_the_kinds_of_both_projects() {
    for (group, version, kind) in [
        ("", "v1", "Pod"),
        ("apps", "v1", "Deployment"),
        ("apps", "v1beta1", "Deployment"),
        ("extensions", "v1beta1", "Ingress"),
        ("batch", "v1", "CronJob"),
        ("policy", "v1", "Eviction"),
        ("autoscaling", "v2", "HorizontalPodAutoscaler"),
        ("apps.openshift.io", "v1", "DeploymentConfig"),
        ("image.openshift.io", "v1", "ImageStreamTag"),
        ("project.openshift.io", "v1", "ProjectRequest"),
        ("", "v1", "ImageStream"),
        ("apps", "v1", "DeleteOptions"),
    ] {
        assert_eq!(get(group, version, kind).short_name(), kind);
    }
    assert!(type_of("apps", "v9", "Deployment").is_none());
}

#[test]
fn is_sorted_for_binary_search() {
    let keys = table::KINDS.iter().map(|kind| (kind.group, kind.version, kind.kind));
    assert!(keys.clone().zip(keys.skip(1)).all(|(left, right)| left < right));
    for kind in table::KINDS {
        assert!(kind.of.fields.windows(2).all(|pair| pair[0].name < pair[1].name), "{}", kind.kind);
    }
}

#[test]
fn carries_keys_and_strategies() {
    let pod = object(get("apps", "v1", "Deployment"), &["spec", "template", "spec"]);
    let containers = pod.field("containers").unwrap();
    assert_eq!(containers.merge_key, Some("name"));
    assert_eq!(containers.list_type, Some(ListType::Map));
    assert_eq!(containers.map_keys, ["name"]);
    assert!(containers.required && containers.patch.merge);
    assert_eq!(pod.field("volumes").unwrap().patch.text(), "merge,retainKeys");
    assert_eq!(pod.field("hostNetwork").unwrap().presence, Presence::OmitEmpty);
    assert_eq!(pod.field("terminationGracePeriodSeconds").unwrap().presence, Presence::Pointer);
    let strategy = object(get("apps", "v1", "Deployment"), &["spec"]).field("strategy").unwrap();
    assert!(strategy.patch.retain_keys);
    let stream = object(get("image.openshift.io", "v1", "ImageStream"), &["spec"]);
    assert_eq!(stream.field("tags").unwrap().merge_key, Some("name"));
}

#[test]
fn carries_protobuf_numbers() {
    let pod = object(get("", "v1", "Pod"), &["spec"]);
    assert_eq!(pod.field("volumes").unwrap().tag, 1);
    let volume = object(pod, &["volumes"]);
    assert_eq!(volume.inlines[0].tag, 2);
    assert_eq!(volume.inlines[0].of.field("emptyDir").unwrap().tag, 2);
}

#[test]
fn strategic_merge_patches_follow_the_table() {
    let service = get("", "v1", "Service");
    let live = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {
        "selector": {"app": "web"},
        "ports": [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]}});
    let patch = json!({"metadata": {"labels": {"a": null}}, "spec": {
        "ports": [{"port": 443, "targetPort": 8443}]}});
    let merged = apimachinery::patch::strategic_merge(&live, &patch, service).unwrap();
    assert_eq!(
        merged,
        json!({"metadata": {"labels": {"b": "2"}}, "spec": {
            "selector": {"app": "web"},
            "ports": [{"port": 80, "name": "http"},
                {"port": 443, "name": "https", "targetPort": 8443}]}})
    );
}

#[test]
fn protobuf_numbers_are_unambiguous() {
    let mut queue: Vec<&'static Type> = table::KINDS.iter().map(|kind| kind.of).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(of) = queue.pop() {
        if !seen.insert(of.name) {
            continue;
        }
        let mut numbers = std::collections::BTreeSet::new();
        let own = of.fields.iter().map(|field| field.tag).filter(|tag| *tag != 0);
        for tag in own.chain(of.inlines.iter().map(|inline| inline.tag)) {
            assert!(numbers.insert(tag), "{} has {tag} twice", of.name);
        }
        for inline in of.inlines {
            assert!(inline.of.fields.iter().all(|field| of.field(field.name).is_some()));
            queue.push(inline.of);
        }
        for field in of.fields {
            let mut kind = field.kind;
            while let FieldKind::Array(inner) | FieldKind::Map(inner) = kind {
                kind = *inner;
            }
            if let FieldKind::Object(inner) = kind {
                queue.push(inner);
            }
        }
        assert!(of.fields.len() <= 128, "{} has more fields than the decoder tracks", of.name);
    }
}
