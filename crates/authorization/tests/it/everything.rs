//! Every resource and sub-resource with every verb, asked by someone of another project and by
//! viewers, editors and admins of this one.
//!
//! The files beside hold what each role adds to what everyone may: one line a resource.

use std::collections::BTreeSet;

use api::{Resource, Verb};
use apiserver::User;

use crate::cluster::{Cluster, user};

const PROJECT: &str = "alice-proj";

/// What is served: resources and sub-resources with their verbs.
fn served() -> Vec<(&'static Resource, &'static str, &'static [Verb])> {
    let mut all = Vec::new();
    for resource in api::resources() {
        all.push((*resource, "", resource.verbs));
        all.extend(resource.subresources.iter().map(|sub| (*resource, sub.name, sub.verbs)));
    }
    all
}

/// What `user` may do in the project, in all namespaces and in the cluster.
fn grants(cluster: &Cluster, user: &User) -> BTreeSet<String> {
    let mut grants = BTreeSet::new();
    for (resource, sub, verbs) in served() {
        let mut note = |place: &str, namespace: &str| {
            let may = |verb: &&Verb| {
                let at = (namespace, name_for(**verb, resource, sub), sub);
                allowed(cluster, user, **verb, resource, at)
            };
            let verbs: Vec<&str> = verbs.iter().filter(may).map(|verb| verb.as_str()).collect();
            if !verbs.is_empty() {
                let sub = if sub.is_empty() { String::new() } else { format!("/{sub}") };
                let what = format!("{} {}{sub} {place}", resource.group, resource.plural);
                grants.insert(format!("{}: {}", what.trim(), verbs.join(" ")));
            }
        };
        if resource.namespaced() {
            note("", PROJECT);
            note("(all namespaces)", "");
        } else {
            note("(cluster)", "");
        }
    }
    grants
}

fn name_for(verb: Verb, resource: &Resource, sub: &str) -> &'static str {
    match verb {
        Verb::Create if sub.is_empty() => "",
        Verb::List | Verb::Watch | Verb::DeleteCollection => "",
        _ if matches!(resource.plural, "namespaces" | "projects") => PROJECT,
        _ => "x",
    }
}

/// What is not allowed is refused in the words of 3.11.
fn allowed(
    cluster: &Cluster,
    user: &User,
    verb: Verb,
    resource: &'static Resource,
    at: (&str, &str, &str),
) -> bool {
    let answer = cluster.ask(user, verb, resource, at);
    if let Err(status) = &answer {
        assert_eq!((status.code, status.reason.as_str()), (403, "Forbidden"));
        assert!(status.message.ends_with(": no RBAC policy matched"), "{status}");
    }
    answer.is_ok()
}

fn check(name: &str, grants: &BTreeSet<String>, expect: &str) {
    let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
    let expect: Vec<&str> = expect.lines().collect();
    assert_eq!(grants, expect, "{name}");
}

#[test]
fn a_user_of_another_project_may_do_what_everyone_may() {
    let mut cluster = Cluster::new();
    cluster.settle();
    let everyone = grants(&cluster, &user("bob"));
    check("everyone", &everyone, include_str!("everything/everyone.txt"));
    assert_eq!(grants(&cluster, &user("nobody")), everyone);
}

#[test]
fn viewers_editors_and_admins_may_what_their_role_says() {
    let mut cluster = Cluster::new();
    cluster.settle();
    let mut before = grants(&cluster, &user("bob"));
    for (role, expect) in [
        ("view", include_str!("everything/view.txt")),
        ("edit", include_str!("everything/edit.txt")),
        ("admin", include_str!("everything/admin.txt")),
    ] {
        cluster.bind(PROJECT, role, "bob");
        let now = grants(&cluster, &user("bob"));
        check(role, &now.difference(&before).cloned().collect(), expect);
        before = now;
    }
    assert_eq!(before, grants(&cluster, &user("alice")));
    assert_ne!(before, grants(&cluster, &user("carol")));
}

#[test]
fn the_owner_of_the_cluster_may_everything() {
    let cluster = Cluster::new();
    for admin in [User::system_admin(), User::with_groups("system:admin", &[])] {
        for (resource, sub, verbs) in served() {
            let namespace = if resource.namespaced() { PROJECT } else { "" };
            for verb in verbs {
                assert_eq!(cluster.ask(&admin, *verb, resource, (namespace, "x", sub)), Ok(()));
            }
        }
    }
}

#[test]
fn paths_are_open_as_the_cluster_status_says() {
    let cluster = Cluster::new();
    let may = |user: &User| {
        let paths = ["/version", "/apis/apps/v1", "/healthz/ready", "/", "/metrics", "/logs/"];
        paths.map(|path| cluster.server.allows_path(user, "get", path))
    };
    assert_eq!(may(&user("bob")), [true, true, true, true, false, false]);
    assert_eq!(may(&User::anonymous()), [true, true, true, true, false, false]);
    assert_eq!(may(&User::system_admin()), [true; 6]);
}
