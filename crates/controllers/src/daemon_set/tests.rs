//! Tables of where daemon pods belong and which come and go.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::json;
use world::Time;

use super::*;

fn ds(template: &Value) -> Value {
    json!({
        "metadata": {"name": "agent", "namespace": "dev", "uid": "u", "generation": 2,
            "annotations": {"deprecated.daemonset.template.generation": "2"}},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {"metadata": {"labels": {"app": "agent"}}, "spec": template},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        },
    })
}

fn node() -> Value {
    json!({"metadata": {"name": "n1", "labels": {"zone": "a"}},
        "status": {"allocatable": {"cpu": "1", "memory": "1Gi", "pods": "3"}}})
}

/// `wanted`, `schedule`, `keep` as `w`, `s`, `k`.
fn judged(template: &Value, node: &Value, others: &[Value]) -> String {
    let others: Vec<_> = others.iter().cloned().map(Arc::new).collect();
    let verdict = verdict(&pod::template(&ds(template), ""), node, &others);
    [(verdict.wanted, 'w'), (verdict.schedule, 's'), (verdict.keep, 'k')]
        .into_iter()
        .filter_map(|(holds, letter)| holds.then_some(letter))
        .collect()
}

fn affinity(zone: &str) -> Value {
    let expression = json!({"key": "zone", "operator": "In", "values": [zone]});
    let terms = json!([{"matchExpressions": [expression]}]);
    let required = json!({"nodeSelectorTerms": terms});
    json!({"affinity": {"nodeAffinity":
        {"requiredDuringSchedulingIgnoredDuringExecution": required}}})
}

#[test]
fn what_is_meant_counts_and_what_happens_delays() {
    let port = |number: i64| json!({"containers": [{"ports": [{"hostPort": number}]}]});
    let cpu = |amount: &str| json!({"containers": [{"resources": {"requests": {"cpu": amount}}}]});
    let other = |spec: Value| json!({"spec": spec});
    for (template, others, expected) in [
        (json!({}), vec![], "wsk"),
        (json!({"nodeName": "n1"}), vec![], "wsk"),
        (json!({"nodeName": "n2"}), vec![], ""),
        (json!({"nodeSelector": {"zone": "a"}}), vec![], "wsk"),
        (json!({"nodeSelector": {"zone": "b"}}), vec![], ""),
        (affinity("a"), vec![], "wsk"),
        (affinity("b"), vec![], ""),
        (port(80), vec![other(port(81))], "wsk"),
        (port(80), vec![other(port(80))], ""),
        (cpu("600m"), vec![other(cpu("400m"))], "wsk"),
        (cpu("600m"), vec![other(cpu("500m"))], "wk"),
        (json!({}), vec![json!({}), json!({}), json!({})], "wk"),
    ] {
        assert_eq!(judged(&template, &node(), &others), expected, "{template}");
    }
}

#[test]
fn taints_keep_new_pods_away_and_drive_old_ones_out() {
    let tainted = |key: &str, effect: &str| {
        let mut node = node();
        node["spec"] = json!({"taints": [{"key": key, "effect": effect}]});
        node
    };
    let tolerant = json!({"tolerations": [{"key": "mine", "operator": "Exists"}]});
    for (key, effect, strict, lenient) in [
        ("mine", "NoSchedule", "k", "wsk"),
        ("mine", "NoExecute", "", "wsk"),
        ("mine", "PreferNoSchedule", "wsk", "wsk"),
        ("node.kubernetes.io/not-ready", "NoExecute", "wsk", "wsk"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule", "wsk", "wsk"),
        ("node.kubernetes.io/unschedulable", "NoSchedule", "wsk", "wsk"),
    ] {
        let node = tainted(key, effect);
        assert_eq!(judged(&json!({}), &node, &[]), strict, "{key} {effect}");
        assert_eq!(judged(&tolerant, &node, &[]), lenient, "{key} {effect}, tolerated");
    }
}

#[test]
fn a_cordoned_node_counts() {
    let mut node = node();
    node["spec"] = json!({"unschedulable": true});
    assert_eq!(judged(&json!({}), &node, &[]), "wsk");
}

#[test]
fn a_shortage_is_told_in_numbers() {
    let template = json!({"containers": [{"resources": {"requests": {"cpu": "2"}}}]});
    let verdict = verdict(&pod::template(&ds(&template), ""), &node(), &[]);
    assert_eq!(
        verdict.complaint.as_deref(),
        Some("Node didn't have enough resource: cpu, requested: 2000, used: 0, capacity: 1000")
    );
}

#[test]
fn the_namespace_chooses_nodes() {
    let namespace =
        |key: &str, selector: &str| json!({"metadata": {"annotations": {key: selector}}});
    for (key, selector, admitted) in [
        ("openshift.io/node-selector", "zone=a", true),
        ("openshift.io/node-selector", "zone=b", false),
        ("openshift.io/node-selector", "", true),
        ("scheduler.alpha.kubernetes.io/node-selector", "zone=b", false),
    ] {
        let namespace = namespace(key, selector);
        assert_eq!(namespace_admits(Some(&namespace), &node()), admitted, "{key} {selector}");
    }
    assert!(namespace_admits(None, &node()));
}

#[test]
fn pods_get_labels_tolerations_and_their_node() {
    let template = pod::template_on(&ds(&json!({})), "77", "n1");
    assert_eq!(
        template["metadata"]["labels"],
        json!({"app": "agent", "controller-revision-hash": "77", "pod-template-generation": "2"})
    );
    let keys: Vec<_> =
        template.list_at(&["spec", "tolerations"]).iter().map(|t| t["key"].clone()).collect();
    assert_eq!(
        json!(keys),
        json!([
            "node.kubernetes.io/not-ready",
            "node.kubernetes.io/unreachable",
            "node.kubernetes.io/disk-pressure",
            "node.kubernetes.io/memory-pressure"
        ])
    );
    assert_eq!(template["spec"]["nodeName"], "n1");
}

#[test]
fn a_toleration_of_the_template_gives_way_to_the_sets_own() {
    let toleration = |effect: &str, seconds: Option<i64>| {
        let key = "node.kubernetes.io/not-ready";
        let mut it = json!({"key": key, "operator": "Exists", "effect": effect});
        if let Some(seconds) = seconds {
            it["tolerationSeconds"] = json!(seconds);
        }
        it
    };
    for (given, expected) in [
        (toleration("NoExecute", Some(30)), vec![toleration("NoExecute", None)]),
        (toleration("NoExecute", None), vec![toleration("NoExecute", None)]),
        (
            toleration("NoSchedule", None),
            vec![toleration("NoSchedule", None), toleration("NoExecute", None)],
        ),
    ] {
        let template = pod::template(&ds(&json!({"tolerations": [given]})), "");
        let mut got = template.list_at(&["spec", "tolerations"]).to_vec();
        got.retain(|toleration| toleration["key"] == "node.kubernetes.io/not-ready");
        assert_eq!(got, expected, "{given}");
    }
}

/// A pod by letters: `n`ew or `o`ld template, then `r`eady, `u`nready, `f`ailed, `t`erminating.
fn daemon_pod(name: &str, letters: &str) -> Arc<Value> {
    let hash = if letters.starts_with('n') { "new" } else { "old" };
    let (phase, ready) = match &letters[1..] {
        "r" | "t" => ("Running", "True"),
        "f" => ("Failed", "False"),
        _ => ("Running", "False"),
    };
    let mut pod = json!({
        "metadata": {"name": name, "labels": {"controller-revision-hash": hash},
            "creationTimestamp": "2018-10-11T11:00:00Z"},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready,
            "lastTransitionTime": "2018-10-11T11:00:00Z"}]},
    });
    if letters.ends_with('t') {
        pod["metadata"]["deletionTimestamp"] = json!("2018-10-11T12:00:00Z");
    }
    Arc::new(pod)
}

/// Nodes `a`, `b`, … with these pods each, all wanted unless `!` stands in front.
fn nodes(text: &str) -> Vec<OnNode> {
    let on_node = |(index, pods): (usize, &str)| {
        let node = char::from(b'a' + u8::try_from(index).unwrap()).to_string();
        let wanted = !pods.starts_with('!');
        let letters = pods.trim_matches(['!', '-']).split('+').filter(|text| !text.is_empty());
        let pod =
            |(number, letters): (usize, &str)| daemon_pod(&format!("{node}{number}"), letters);
        let pods = letters.enumerate().map(pod).collect();
        let verdict = Verdict { wanted, schedule: wanted, keep: wanted, complaint: None };
        OnNode { node: node.clone(), verdict, pods, backoff: None }
    };
    text.split_whitespace().enumerate().map(on_node).collect()
}

fn planned(ds: &Value, nodes: &[OnNode]) -> Plan {
    let now = Time::parse_rfc3339("2018-10-11T12:00:00Z").unwrap();
    plan(&Observed { ds, hash: "new", nodes, now })
}

#[test]
fn every_wanted_node_has_one_pod() {
    let ds = ds(&json!({}));
    for (text, create, delete) in [
        ("- -", "a b", ""),
        ("nr -", "b", ""),
        ("nr+nr", "", "a1"),
        ("!nr -", "b", "a0"),
        ("!nt", "", ""),
        ("!-", "", ""),
        ("nf", "", "a0"),
        ("nf+nr+nr", "", "a0 a2"),
        ("nt", "", ""),
    ] {
        let plan = planned(&ds, &nodes(text));
        assert_eq!(
            (plan.create.join(" ").as_str(), plan.delete.join(" ").as_str()),
            (create, delete),
            "{text}"
        );
    }
}

#[test]
fn failed_pods_are_left_alone_for_a_while() {
    let mut nodes = nodes("nf");
    nodes[0].backoff = Some(Duration::from_secs(4));
    let plan = planned(&ds(&json!({})), &nodes);
    assert_eq!((plan.delete, plan.resync), (vec![], Some(Duration::from_secs(4))));
}

#[test]
fn old_pods_go_as_far_as_may_be_unavailable() {
    for (max, text, delete) in [
        (json!(1), "or or or", "a0"),
        (json!(2), "or or or", "a0 b0"),
        (json!("50%"), "or or or", "a0 b0"),
        (json!(1), "ot or or", ""),
        (json!(1), "- or or", ""),
        (json!(1), "nu or or", ""),
        (json!(1), "nr or or", "b0"),
        (json!(1), "ou ou or", "a0 b0"),
        (json!(1), "nr nr nr", ""),
    ] {
        let mut ds = ds(&json!({}));
        ds["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = max;
        let plan = planned(&ds, &nodes(text));
        assert_eq!(plan.delete.join(" "), delete, "{text}");
    }
    let mut ds = ds(&json!({}));
    ds["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    assert!(planned(&ds, &nodes("or or")).delete.is_empty());
}

#[test]
fn a_pod_of_the_templates_generation_is_up_to_date() {
    let ds = ds(&json!({}));
    let labelled = |labels: Value| json!({"metadata": {"labels": labels}});
    for (labels, expected) in [
        (json!({"controller-revision-hash": "new"}), true),
        (json!({"controller-revision-hash": "old"}), false),
        (json!({"controller-revision-hash": "old", "pod-template-generation": "2"}), true),
        (json!({"pod-template-generation": "1"}), false),
    ] {
        assert_eq!(pod::is_updated(&ds, &labelled(labels.clone()), "new"), expected, "{labels}");
    }
}

#[test]
fn the_status_counts_nodes() {
    let ds = ds(&json!({}));
    let status = planned(&ds, &nodes("nr or ou - !nr")).status;
    assert_eq!(
        status,
        json!({"observedGeneration": 2, "desiredNumberScheduled": 4, "currentNumberScheduled": 3,
            "numberMisscheduled": 1, "numberReady": 2, "numberAvailable": 2,
            "numberUnavailable": 2, "updatedNumberScheduled": 1})
    );
    let none = planned(&ds, &[]).status;
    assert_eq!(
        none,
        json!({"observedGeneration": 2, "desiredNumberScheduled": 0, "currentNumberScheduled": 0,
            "numberMisscheduled": 0, "numberReady": 0})
    );
}

#[test]
fn only_some_changes_of_a_node_matter() {
    let old = node();
    let with = |path: &[&str], value: Value| {
        let mut node = node();
        node.set(path, value);
        node
    };
    for (new, matters) in [
        (with(&["metadata", "labels", "zone"], json!("b")), true),
        (with(&["spec", "taints"], json!([{"key": "x", "effect": "NoExecute"}])), true),
        (with(&["status", "allocatable", "cpu"], json!("2")), true),
        (with(&["status", "conditions"], json!([{"type": "Ready", "status": "True"}])), false),
    ] {
        assert_eq!(placement_may_differ(&old, &new), matters, "{new}");
    }
}

#[test]
fn at_most_250_pods_come_at_once() {
    let many = "- ".repeat(26);
    let mut nodes = nodes(&many);
    for round in 1..10_i32 {
        let copies = nodes[..26]
            .iter()
            .map(|on_node| OnNode { node: format!("{}{round}", on_node.node), ..on_node.clone() });
        let copies: Vec<_> = copies.collect();
        nodes.extend(copies);
    }
    let plan = planned(&ds(&json!({})), &nodes);
    assert_eq!((nodes.len(), plan.create.len()), (260, 250));
}

#[test]
fn a_pod_is_available_after_min_ready_seconds() {
    for (seconds, available, resync) in [(3600, 1, None), (3700, 0, Some(100))] {
        let mut ds = ds(&json!({}));
        ds["spec"]["minReadySeconds"] = json!(seconds);
        let plan = planned(&ds, &nodes("nr nu"));
        let counted = plan.status.int_at(&["numberAvailable"]).unwrap_or(0);
        assert_eq!((counted, &plan.status["numberReady"]), (available, &json!(1)), "{seconds}");
        assert_eq!(plan.resync.map(|wait| wait.as_secs()), resync, "{seconds}");
    }
}
