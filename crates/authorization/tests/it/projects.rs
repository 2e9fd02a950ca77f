//! Who sees which project.

use api::{NAMESPACES, PROJECTS, ROLE_BINDINGS};
use apimachinery::ObjectExt as _;
use apimachinery::json;
use apiserver::{Client, DeleteOptions, ListOptions, Watch, WatchEvent};

use crate::cluster::Cluster;

fn names(client: &Client) -> Vec<String> {
    let all = client.list(&PROJECTS, "").expect("projects can be listed");
    all.iter().map(|project| project.name().to_owned()).collect()
}

/// What the watch has to tell.
fn told(watch: &mut Watch) -> Vec<String> {
    let events = std::iter::from_fn(|| watch.try_next());
    let tell = |event| match event {
        WatchEvent::Added(project) => format!("+{}", project.value().name()),
        WatchEvent::Modified(project) => format!("~{}", project.value().name()),
        WatchEvent::Deleted(project) => format!("-{}", project.value().name()),
        other => format!("{other:?}"),
    };
    events.map(tell).collect()
}

#[test]
fn lists_show_what_one_may_get() {
    let cluster = Cluster::new();
    assert_eq!(names(&cluster.client("alice")), ["alice-proj"]);
    assert_eq!(names(&cluster.client("carol")), [""; 0]);
    assert_eq!(names(&cluster.admin).len(), 8);
    cluster.bind("alice-proj", "view", "bob");
    assert_eq!(names(&cluster.client("bob")), ["alice-proj", "bob-proj"]);
    cluster.bind("", "cluster-reader", "carol");
    assert_eq!(names(&cluster.client("carol")).len(), 8);
    let limited = ListOptions { limit: 1, ..ListOptions::default() };
    let page = cluster.client("bob").list_with(&PROJECTS, "", &limited).unwrap();
    assert_eq!((page.items.len(), page.continue_token), (2, None));
}

#[test]
fn watches_follow_projects_and_bindings() {
    let cluster = Cluster::new();
    let bob = cluster.client("bob");
    let mut watch = bob.watch(&PROJECTS, "", &ListOptions::default()).unwrap();
    assert_eq!(told(&mut watch), ["+bob-proj"]);
    cluster.bind("alice-proj", "view", "bob");
    assert_eq!(told(&mut watch), ["+alice-proj"]);
    let annotate = json!({"metadata": {"annotations": {"a": "b"}}});
    let merge = apiserver::PatchKind::Merge;
    for name in ["alice-proj", "bob-proj", "default"] {
        cluster.admin.patch(&NAMESPACES, "", name, merge, annotate.clone()).unwrap();
    }
    assert_eq!(told(&mut watch), ["~alice-proj", "~bob-proj"]);
    let options = DeleteOptions::default();
    cluster.admin.delete(&ROLE_BINDINGS, "alice-proj", "view-bob", options).unwrap();
    assert_eq!(told(&mut watch), ["-alice-proj"]);
    cluster.admin.patch(&NAMESPACES, "", "alice-proj", merge, annotate).unwrap();
    assert_eq!(told(&mut watch), [""; 0]);
    bob.create(&api::PROJECT_REQUESTS, "", json!({"metadata": {"name": "more"}})).unwrap();
    assert_eq!(told(&mut watch), ["+more"]);
}

#[test]
fn a_watch_from_a_version_shows_what_comes_after() {
    let cluster = Cluster::new();
    let bob = cluster.client("bob");
    let from = bob.list_with(&PROJECTS, "", &ListOptions::default()).unwrap().resource_version;
    let options = ListOptions { resource_version: from, ..ListOptions::default() };
    let mut watch = bob.watch(&PROJECTS, "", &options).unwrap();
    assert_eq!(told(&mut watch), [""; 0]);
    cluster.bind("alice-proj", "edit", "bob");
    cluster.bind("alice-proj", "view", "bob");
    assert_eq!(told(&mut watch), ["+alice-proj"]);
}

#[test]
fn a_watch_wakes_for_bindings() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    let cluster = Cluster::new();
    let mut watch = cluster.client("carol").watch(&PROJECTS, "", &ListOptions::default()).unwrap();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(watch.poll_next(&mut cx).is_pending());
    cluster.bind("alice-proj", "view", "carol");
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    let next = watch.poll_next(&mut cx);
    assert!(matches!(next, Poll::Ready(WatchEvent::Added(_))), "{next:?}");
    assert!(watch.poll_next(&mut cx).is_pending());
}

#[test]
fn a_list_of_requests_tells_who_may_ask_for_a_project() {
    let cluster = Cluster::new();
    let may = || match cluster.client("bob").list(&api::PROJECT_REQUESTS, "") {
        Ok(_) => "yes".to_owned(),
        Err(status) => format!("{} {}", status.code, status.message),
    };
    assert_eq!(may(), "yes");
    let options = DeleteOptions::default();
    cluster.admin.delete(&api::CLUSTER_ROLE_BINDINGS, "", "self-provisioners", options).unwrap();
    assert_eq!(may(), "403 You may not request a new project via this API.");
}
