//! Lists: pages, selectors, revisions.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Reason, Status};
use apiserver::{Client, ListOptions, ObjectList};

use crate::{cluster, configmap, create_pod};

fn with_configmaps(count: usize) -> Client {
    let client = cluster();
    for index in 0..count {
        let mut object = configmap(&format!("c{index}"));
        let parity = if index % 2 == 0 { "even" } else { "odd" };
        object.set(&["metadata", "labels", "parity"], json!(parity));
        client.create(&api::CONFIG_MAPS, "test", object).unwrap();
    }
    client
}

fn list(client: &Client, options: &ListOptions) -> Result<ObjectList, Status> {
    client.list_with(&api::CONFIG_MAPS, "test", options)
}

fn names(list: &ObjectList) -> Vec<String> {
    list.items.iter().map(|item| item.value().name().to_owned()).collect()
}

#[test]
fn pages_show_one_revision_and_count_down() {
    let client = with_configmaps(5);
    let mut options = ListOptions { limit: 2, ..ListOptions::default() };
    let first = list(&client, &options).unwrap();
    assert_eq!(names(&first), ["c0", "c1"]);
    assert_eq!(first.remaining, Some(3));
    client.create(&api::CONFIG_MAPS, "test", configmap("c11")).unwrap();
    options.continue_token = first.continue_token.unwrap();
    let second = list(&client, &options).unwrap();
    assert_eq!(names(&second), ["c2", "c3"]);
    assert_eq!(second.resource_version, first.resource_version);
    options.continue_token = second.continue_token.unwrap();
    let last = list(&client, &options).unwrap();
    assert_eq!(names(&last), ["c4"]);
    assert_eq!((last.continue_token, last.remaining), (None, None));
}

#[test]
fn selected_pages_are_full_and_do_not_count() {
    let client = with_configmaps(5);
    let mut options = ListOptions {
        limit: 2,
        label_selector: "parity=even".to_owned(),
        ..ListOptions::default()
    };
    let first = list(&client, &options).unwrap();
    assert_eq!(names(&first), ["c0", "c2"]);
    assert_eq!(first.remaining, None);
    options.continue_token = first.continue_token.unwrap();
    assert_eq!(names(&list(&client, &options).unwrap()), ["c4"]);
}

#[test]
fn a_page_that_is_gone_is_expired() {
    let client = with_configmaps(3);
    let mut options = ListOptions { limit: 1, ..ListOptions::default() };
    options.continue_token = list(&client, &options).unwrap().continue_token.unwrap();
    client.create(&api::CONFIG_MAPS, "test", configmap("z")).unwrap();
    client.server().store().compact(client.server().store().revision()).unwrap();
    let gone = list(&client, &options).unwrap_err();
    assert_eq!((gone.reason, gone.code), (Reason::Expired, 410));
}

#[test]
fn resource_versions_say_how_old_a_list_may_be() {
    let client = with_configmaps(1);
    let then = client.server().store().revision().to_string();
    client.create(&api::CONFIG_MAPS, "test", configmap("z")).unwrap();
    let count = |version: &str, matching: &str| {
        let options = ListOptions {
            resource_version: version.to_owned(),
            resource_version_match: matching.to_owned(),
            ..ListOptions::default()
        };
        list(&client, &options).map(|list| list.items.len())
    };
    assert_eq!(count("0", "").unwrap(), 2);
    assert_eq!(count(&then, "").unwrap(), 2);
    assert_eq!(count(&then, "Exact").unwrap(), 1);
    assert_eq!(count(&then, "NotOlderThan").unwrap(), 2);
    assert_eq!(count("99999", "NotOlderThan").unwrap_err().code, 504);
    assert_eq!(
        count("99999", "").unwrap_err().message,
        "etcdserver: mvcc: required revision is a future revision"
    );
    assert_eq!(count("abc", "").unwrap_err().code, 500);
}

#[test]
fn bad_selectors_and_tokens_are_refused() {
    let client = with_configmaps(0);
    let labels = ListOptions { label_selector: "a in".to_owned(), ..ListOptions::default() };
    assert_eq!(
        list(&client, &labels).unwrap_err().message,
        "unable to parse requirement: found '' expected: '('"
    );
    let token = ListOptions { continue_token: "abc".to_owned(), ..ListOptions::default() };
    assert_eq!(list(&client, &token).unwrap_err().code, 400);
}

#[test]
fn all_namespaces_are_listed_without_one() {
    let client = cluster();
    create_pod(&client, "a");
    client.create(&api::PODS, "default", crate::pod("b")).unwrap();
    assert_eq!(client.list(&api::PODS, "").unwrap().len(), 2);
    let options = ListOptions {
        field_selector: "metadata.namespace=test".to_owned(),
        ..ListOptions::default()
    };
    assert_eq!(client.list_with(&api::PODS, "", &options).unwrap().items.len(), 1);
}
