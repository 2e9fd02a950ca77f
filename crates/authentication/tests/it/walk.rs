//! Everything that is served, asked over HTTPS by a user of another project.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use apimachinery::{Value, json};

use crate::cluster::{Cluster, Person};

/// The requests that stand for a verb.
fn requests(verb: &str) -> Option<(&'static str, bool, &'static str)> {
    Some(match verb {
        "get" => ("GET", true, ""),
        "list" => ("GET", false, ""),
        "watch" => ("GET", false, "?watch=true&timeoutSeconds=1"),
        "create" => ("POST", false, ""),
        "update" => ("PUT", true, ""),
        "patch" => ("PATCH", true, ""),
        "delete" => ("DELETE", true, ""),
        "deletecollection" => ("DELETE", false, ""),
        _ => return None,
    })
}

/// The group versions that discovery tells of.
async fn roots(person: &Person<'_>) -> Vec<String> {
    let mut roots = vec!["/api/v1".to_owned(), "/oapi/v1".to_owned()];
    let groups = person.get("/apis").await.json();
    for group in groups["groups"].as_array().unwrap() {
        for version in group["versions"].as_array().unwrap() {
            roots.push(format!("/apis/{}", version["groupVersion"].as_str().unwrap()));
        }
    }
    roots
}

/// What is let through of a resource or sub-resource in `alice-proj`.
async fn allowed(
    person: &Person<'_>,
    root: &str,
    resource: &Value,
    all: &mut BTreeSet<String>,
) -> usize {
    let word = resource["name"].as_str().unwrap();
    let (plural, sub) = word.split_once('/').map_or((word, ""), |(plural, sub)| (plural, sub));
    let own = matches!(plural, "namespaces" | "projects");
    let namespaced = resource["namespaced"] == true;
    let base = if namespaced { "/namespaces/alice-proj" } else { "" };
    let object = if own { "alice-proj" } else { "x" };
    let mut asked = 0;
    for verb in resource["verbs"].as_array().unwrap() {
        let verb = verb.as_str().unwrap();
        let Some((method, named, query)) = requests(verb) else { continue };
        let name = if named || !sub.is_empty() { format!("/{object}") } else { String::new() };
        let tail = if sub.is_empty() { String::new() } else { format!("/{sub}") };
        let path = format!("{root}{base}/{plural}{name}{tail}{query}");
        let body =
            if method == "GET" { Value::Null } else { json!({"metadata": {"name": object}}) };
        let answer = person.send(method, &path, &body).await;
        asked += 1;
        if answer.code == 403 {
            assert_eq!(answer.json()["reason"], "Forbidden", "{method} {path}");
        } else {
            all.insert(format!("{verb} {root} {word}"));
        }
    }
    asked
}

#[tokio::test]
async fn nobody_reads_or_writes_outside_their_roles() {
    let cluster = Cluster::start();
    let (alice, bob) = (cluster.log_in("alice", "").await, cluster.log_in("bob", "").await);
    let request = json!({"metadata": {"name": "alice-proj"}});
    alice.post("/apis/project.openshift.io/v1/projectrequests", &request).await;
    let (mut found, mut asked) = (BTreeSet::new(), 0);
    for root in roots(&bob).await {
        for resource in bob.get(&root).await.json()["resources"].as_array().unwrap() {
            asked += allowed(&bob, &root, resource, &mut found).await;
        }
    }
    assert!(asked > 1000, "only {asked} requests");
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    let expect: Vec<&str> = include_str!("walk.txt").lines().collect();
    assert_eq!(found, expect);
}
