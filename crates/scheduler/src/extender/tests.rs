//! What is asked of extenders, and what their answers do.

use std::sync::Arc;

use super::*;
use crate::policy;

fn snapshot() -> Snapshot {
    let node = |name: &str| {
        let allocatable =
            json!({"cpu": "4", "memory": "8Gi", "pods": "10", "example.com/gpu": "1"});
        let status = json!({"allocatable": allocatable});
        (&api::NODES, Arc::new(json!({"metadata": {"name": name}, "status": status})))
    };
    Snapshot::of(["a", "b", "c"].map(node).map(|(r, n)| (r as &'static _, n)))
}

fn profile(extenders: &str) -> Profile {
    policy::parse(&format!(
        "kind: Policy\napiVersion: v1\npriorities: [{{name: EqualPriority, weight: 1}}]\n\
         extenders: {extenders}"
    ))
    .unwrap()
}

fn pod() -> PodInfo {
    PodInfo::new(Arc::new(json!({"metadata": {"name": "p", "namespace": "ns"}, "spec":
        {"containers": [{"resources": {"requests": {"example.com/gpu": "1"}}}]}})))
}

fn outcome(profile: &Profile, answers: &Answers) -> Outcome {
    match next(profile, &snapshot(), &pod(), 0, answers) {
        Next::Decided(decision) => decision.outcome,
        Next::Ask(questions) => panic!("{questions:?}"),
    }
}

const GPU: &str = "[{urlPrefix: 'http://x/', filterVerb: filter, prioritizeVerb: rank, weight: 5, \
                   nodeCacheCapable: true, managedResources: [{name: example.com/gpu, \
                   ignoredByScheduler: true}]}]";

#[test]
fn an_extender_is_asked_which_nodes_fit_and_then_how_good_they_are() {
    let profile = profile(GPU);
    let mut answers = Answers::new();
    let Next::Ask(asked) = next(&profile, &snapshot(), &pod(), 0, &answers) else { panic!() };
    assert_eq!((asked.len(), asked[0].verb), (1, Verb::Filter));
    assert_eq!(asked[0].body["nodenames"], json!(["a", "b", "c"]));
    assert_eq!(profile.extenders[0].url(Verb::Filter).unwrap(), "http://x/filter");

    let filtered = json!({"nodenames": ["a", "b"], "failedNodes": {"c": "too hot"}});
    answers.insert((0, Verb::Filter), Ok(filtered));
    let Next::Ask(asked) = next(&profile, &snapshot(), &pod(), 0, &answers) else { panic!() };
    assert_eq!(
        (asked[0].verb, &asked[0].body["nodenames"]),
        (Verb::Prioritize, &json!(["a", "b"]))
    );

    let ranked = json!([{"host": "a", "score": 3}, {"host": "b", "score": 1}]);
    answers.insert((0, Verb::Prioritize), Ok(ranked));
    assert_eq!(outcome(&profile, &answers), Outcome::Node("a".to_owned()));
}

#[test]
fn a_refusal_is_told_in_the_extenders_words() {
    let profile = profile(GPU);
    let none =
        json!({"nodenames": [], "failedNodes": {"a": "too hot", "b": "too hot", "c": "too far"}});
    let answers = Answers::from([((0, Verb::Filter), Ok(none))]);
    let text = "0/3 nodes are available: 1 too far, 2 too hot.".to_owned();
    assert_eq!(outcome(&profile, &answers), Outcome::Unschedulable(text));
}

#[test]
fn an_extender_that_fails_stops_the_pod_unless_it_is_ignorable() {
    let failed = || Answers::from([((0, Verb::Filter), Err("refused".to_owned()))]);
    let must = profile("[{urlPrefix: 'http://x', filterVerb: filter}]");
    assert_eq!(outcome(&must, &failed()), Outcome::Failed("refused".to_owned()));
    let may = profile("[{urlPrefix: 'http://x', filterVerb: filter, ignorable: true}]");
    assert_eq!(outcome(&may, &failed()), Outcome::Node("c".to_owned()));
    let other = profile(
        "[{urlPrefix: 'http://x', filterVerb: filter, managedResources: [{name: example.com/tpu}]}, \
         {urlPrefix: 'http://y', filterVerb: filter, ignorable: true}]",
    );
    let Next::Ask(asked) = next(&other, &snapshot(), &pod(), 0, &Answers::new()) else { panic!() };
    assert_eq!(asked[0].extender, 1, "the first has no business with this pod");
}

#[test]
fn the_binder_is_told_who_goes_where() {
    let profile = profile("[{urlPrefix: 'http://x', bindVerb: bind}]");
    let question = binding(&profile, &pod(), "a").unwrap();
    assert_eq!(question.verb, Verb::Bind);
    assert_eq!(
        question.body,
        json!({"podName": "p", "podNamespace": "ns", "podUID": "", "node": "a"})
    );
}
