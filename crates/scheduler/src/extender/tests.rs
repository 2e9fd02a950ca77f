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

/// Two nodes that are full of pods of less importance.
fn full() -> Snapshot {
    let mut snapshot = snapshot();
    for (node, uid) in [("a", "u1"), ("b", "u2")] {
        let pod = PodInfo::new(Arc::new(json!({
            "metadata": {"name": format!("on-{node}"), "namespace": "ns", "uid": uid},
            "spec": {"nodeName": node, "containers": [{}]}})));
        snapshot.place(&controller_runtime::Key::of(&pod.pod), &pod, node);
    }
    snapshot
}

fn victims(snapshot: &Snapshot) -> BTreeMap<String, crate::preemption::Victims> {
    let of = |name: &str| {
        let pods = snapshot.node(name).unwrap().pods.values().cloned().collect();
        (name.to_owned(), crate::preemption::Victims { pods, violations: 1 })
    };
    ["a", "b"].map(of).into()
}

fn chosen(profile: &Profile, answers: &Answers) -> String {
    let snapshot = full();
    match choose(profile, &snapshot, &pod(), victims(&snapshot), answers) {
        Choice::Ask(question) => format!("asks {} {}", question.extender, question.body),
        Choice::Failed(text) => text,
        Choice::Among(nodes) => {
            let shown = |(node, victims): (&String, &crate::preemption::Victims)| {
                let pods: Vec<&str> = victims.pods.iter().map(|pod| pod.pod.name()).collect();
                format!("{node}: {} ({})", pods.join(" "), victims.violations)
            };
            nodes.iter().map(shown).collect::<Vec<_>>().join(", ")
        }
    }
}

#[test]
fn extenders_narrow_down_whom_to_send_away_one_after_the_other() {
    let profile = profile(
        "[{urlPrefix: 'http://x', preemptVerb: spare, nodeCacheCapable: true}, {urlPrefix: 'http://y', \
         filterVerb: filter}, {urlPrefix: 'http://z', preemptVerb: spare}]",
    );
    assert_eq!(profile.extenders[0].url(Verb::Preempt).unwrap(), "http://x/spare");
    let asked = chosen(&profile, &Answers::new());
    let (start, body) = asked.split_at("asks 0 ".len());
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((start, body["pod"]["metadata"]["name"].as_str()), ("asks 0 ", Some("p")));
    let meta = json!({"a": {"pods": [{"uid": "u1"}], "numPDBViolations": 1},
        "b": {"pods": [{"uid": "u2"}], "numPDBViolations": 1}});
    assert_eq!(body["nodeNameToMetaVictims"], meta);

    // The answer in the spelling of Go's untagged fields.
    let first = json!({"NodeNameToMetaVictims":
        {"b": {"Pods": [{"UID": "u2"}], "NumPDBViolations": 0}}});
    let mut answers = Answers::from([((0, Verb::Preempt), Ok(first))]);
    let asked = chosen(&profile, &answers);
    let (start, body) = asked.split_at("asks 2 ".len());
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((start, body["nodeToVictims"]["a"].is_null()), ("asks 2 ", true));
    assert_eq!(body["nodeToVictims"]["b"]["pods"][0]["metadata"]["name"], "on-b");

    let second = json!({"nodeNameToMetaVictims": {"b": {"pods": [{"uid": "u2"}]}}});
    answers.insert((2, Verb::Preempt), Ok(second));
    assert_eq!(chosen(&profile, &answers), "b: on-b (0)");
}

#[test]
fn an_extender_that_spares_everyone_ends_the_matter() {
    let profile = profile("[{urlPrefix: 'http://x', preemptVerb: spare}]");
    let answers = Answers::from([((0, Verb::Preempt), Ok(json!({})))]);
    assert_eq!(chosen(&profile, &answers), "");
}

#[test]
fn an_extender_that_fails_or_raves_stops_preemption_unless_it_is_ignorable() {
    let must = profile("[{urlPrefix: 'http://x', preemptVerb: spare}]");
    let may = profile("[{urlPrefix: 'http://x', preemptVerb: spare, ignorable: true}]");
    let stranger = json!({"nodeNameToMetaVictims": {"a": {"pods": [{"uid": "u2"}]}}});
    for (answer, text) in [
        (Err("refused".to_owned()), "refused"),
        (Ok(stranger), r#"the extender names pod "u2", which is not on node "a""#),
    ] {
        let answers = Answers::from([((0, Verb::Preempt), answer)]);
        assert_eq!(chosen(&must, &answers), text);
        assert_eq!(chosen(&may, &answers), "a: on-a (1), b: on-b (1)");
    }
}
