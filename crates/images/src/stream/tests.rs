//! Tables of what storing a stream does.

use super::*;

const NOW: &str = "2018-10-11T12:00:00Z";

#[derive(Default)]
struct Fixed(BTreeMap<(String, String), Arc<Value>>);

impl Streams for Fixed {
    fn stream(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    fn may_pull(&self, namespace: &str, _name: &str) -> bool {
        namespace != "closed"
    }
}

fn development() -> Fixed {
    let image = "sha256:aaaa";
    let stream = json!({
        "metadata": {"name": "app", "namespace": "development", "generation": 3},
        "status": {"tags": [{"tag": "latest", "items": [{
            "created": "2018-10-10T00:00:00Z", "image": image, "generation": 3,
            "dockerImageReference": format!("{REGISTRY}/development/app@{image}"),
        }]}]},
    });
    let key = ("development".to_owned(), "app".to_owned());
    Fixed(BTreeMap::from([(key, Arc::new(stream))]))
}

fn testing(tags: &Value) -> Value {
    json!({"metadata": {"name": "app", "namespace": "testing"}, "spec": {"tags": tags}})
}

#[test]
fn a_tag_from_another_project_points_to_this_streams_repository() {
    let mut stream = testing(&json!([{
        "name": "test",
        "from": {"kind": "ImageStreamImage", "name": "app@sha256:aaaa", "namespace": "development"},
    }]));
    prepare_for_create(&mut stream, &development(), NOW).unwrap();
    let event = latest(&stream, "test").unwrap();
    assert_eq!(event.docker_image_reference, format!("{REGISTRY}/testing/app@sha256:aaaa"));
    assert_eq!((event.created.as_str(), event.generation), (NOW, 1));
    assert_eq!(stream["spec"]["tags"][0]["generation"], 1);
}

#[test]
fn a_reference_keeps_the_sources_repository_and_a_tag_keeps_its_date() {
    let mut stream = testing(&json!([{
        "name": "test", "reference": true,
        "from": {"kind": "ImageStreamTag", "name": "app:latest", "namespace": "development"},
    }]));
    prepare_for_create(&mut stream, &development(), NOW).unwrap();
    let event = latest(&stream, "test").unwrap();
    assert_eq!(event.docker_image_reference, format!("{REGISTRY}/development/app@sha256:aaaa"));
    assert_eq!(event.created, "2018-10-10T00:00:00Z");
}

#[test]
fn a_missing_stream_is_named_and_a_missing_tag_is_not_an_error() {
    let from = |name: &str| {
        testing(
            &json!([{"name": "test", "from": {"kind": "ImageStreamTag", "name": name, "namespace": "development"}}]),
        )
    };
    let errors = prepare_for_create(&mut from("gone:latest"), &development(), NOW).unwrap_err();
    assert_eq!(errors[0].to_string(), "spec.tags[test].from.name: Not found: \"gone:latest\"");
    let mut stream = from("app:other");
    prepare_for_create(&mut stream, &development(), NOW).unwrap();
    assert_eq!(latest(&stream, "test"), None);
}

#[test]
fn a_stream_that_may_not_be_pulled_from_is_not_copied() {
    let mut stream = testing(&json!([{
        "name": "test", "from": {"kind": "ImageStreamTag", "name": "app:latest", "namespace": "closed"},
    }]));
    let errors = prepare_for_create(&mut stream, &development(), NOW).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "spec.tags[test].from: Forbidden: closed/app: \"no RBAC policy matched\" \"\""
    );
}

#[test]
fn an_update_keeps_status_and_bumps_generation_only_for_spec() {
    let mut old = testing(&json!([{
        "name": "test",
        "from": {"kind": "ImageStreamTag", "name": "app:latest", "namespace": "development"},
    }]));
    prepare_for_create(&mut old, &development(), NOW).unwrap();

    let mut same = old.clone();
    same["status"] = json!({"forged": true});
    prepare_for_update(&mut same, &old, old.get("status").cloned(), &development(), NOW).unwrap();
    assert_eq!(same, old);

    let mut changed = old.clone();
    changed["spec"]["tags"][0]["reference"] = json!(true);
    prepare_for_update(&mut changed, &old, old.get("status").cloned(), &development(), NOW)
        .unwrap();
    assert_eq!(changed.generation(), 2);
    assert_eq!(changed["spec"]["tags"][0]["generation"], 2);
    assert_eq!(latest(&changed, "test").unwrap().generation, 2);
}

#[test]
fn local_reference_policy_resolves_to_the_integrated_registry() {
    let mut stream = testing(&json!([{
        "name": "t", "referencePolicy": {"type": "Local"}, "reference": true,
        "from": {"kind": "ImageStreamTag", "name": "app:latest", "namespace": "development"},
    }]));
    prepare_for_create(&mut stream, &development(), NOW).unwrap();
    let resolved = resolve_pull_spec(&stream, "t").unwrap();
    assert_eq!(resolved, format!("{REGISTRY}/testing/app@sha256:aaaa"));
    assert_eq!(resolve_pull_spec(&stream, "none"), None);
}

/// As a 3.11 was recorded to answer `oc tag app:v1 app:track --alias`.
#[test]
fn an_alias_lifts_the_generation_of_the_tag_that_it_names() {
    let old = json!({
        "metadata": {"name": "app", "namespace": "testing", "generation": 10},
        "spec": {"tags": [{"name": "v1", "generation": 2,
            "from": {"kind": "DockerImage", "name": "r.example/app:v1"}}]},
        "status": {"tags": [{"tag": "v1", "items": [{
            "created": "2018-10-10T00:00:00Z", "image": "sha256:aaaa", "generation": 2,
            "dockerImageReference": "r.example/app@sha256:aaaa"}]}]},
    });
    let mut stream = old.clone();
    let alias = json!({"name": "track", "from": {"kind": "ImageStreamTag", "name": "app:v1"}});
    crate::history::put_spec_tag(&mut stream, alias);
    prepare_for_update(&mut stream, &old, old.get("status").cloned(), &Fixed::default(), NOW)
        .unwrap();
    let generations = ["track", "v1"].map(|tag| latest(&stream, tag).unwrap().generation);
    assert_eq!(generations, [11, 11]);
    assert_eq!(latest(&stream, "track").unwrap().created, "2018-10-10T00:00:00Z");
    assert_eq!(spec_tag(&stream, "v1").unwrap()["generation"], 2, "nobody asked for it again");
}
