//! Policies: what they mean and what is refused.

use super::*;

fn names(profile: &Profile) -> Vec<&str> {
    profile.predicates.iter().map(|predicate| predicate.name()).collect()
}

fn weights(profile: &Profile) -> Vec<(&str, i64)> {
    profile.priorities.iter().map(|(priority, weight)| (priority.name(), *weight)).collect()
}

#[test]
fn the_installers_policy_reads_as_the_one_that_is_built_in() {
    let text = r#"{"apiVersion": "v1", "kind": "Policy", "predicates": [
        {"name": "NoVolumeZoneConflict"}, {"name": "MaxEBSVolumeCount"},
        {"name": "MaxGCEPDVolumeCount"}, {"name": "MaxAzureDiskVolumeCount"},
        {"name": "MatchInterPodAffinity"}, {"name": "NoDiskConflict"},
        {"name": "GeneralPredicates"}, {"name": "PodToleratesNodeTaints"},
        {"name": "CheckNodeMemoryPressure"}, {"name": "CheckNodeDiskPressure"},
        {"name": "CheckVolumeBinding"}, {"name": "CheckNodePIDPressure"},
        {"name": "MaxCSIVolumeCount"},
        {"name": "Region", "argument": {"serviceAffinity": {"labels": ["region"]}}}],
      "priorities": [
        {"name": "SelectorSpreadPriority", "weight": 1},
        {"name": "InterPodAffinityPriority", "weight": 1},
        {"name": "LeastRequestedPriority", "weight": 1},
        {"name": "BalancedResourceAllocation", "weight": 1},
        {"name": "NodePreferAvoidPodsPriority", "weight": 10000},
        {"name": "NodeAffinityPriority", "weight": 1},
        {"name": "TaintTolerationPriority", "weight": 1},
        {"name": "Zone", "weight": 2, "argument": {"serviceAntiAffinity": {"label": "zone"}}}]}"#;
    let (read, built_in) = (parse(text).unwrap(), openshift());
    assert_eq!(names(&read), names(&built_in));
    assert_eq!(weights(&read), weights(&built_in));
    assert_eq!(names(&read)[0], "CheckNodeCondition");
}

#[test]
fn what_is_left_out_is_built_in_and_what_is_empty_is_empty() {
    let profile = parse("kind: Policy\napiVersion: v1\n").unwrap();
    assert_eq!(names(&profile), names(&kubernetes()));
    assert_eq!(weights(&profile), weights(&kubernetes()));
    let profile = parse("kind: Policy\napiVersion: v1\npredicates: []\npriorities: []\n").unwrap();
    assert_eq!(names(&profile), ["CheckNodeCondition"]);
    assert_eq!(weights(&profile), [("EqualPriority", 1)]);
}

#[test]
fn misspelt_fields_are_refused() {
    let check = |fields: &str, expected: &str| {
        let text = format!("kind: Policy\napiVersion: v1\n{fields}\n");
        assert_eq!(parse(&text).unwrap_err().to_string(), expected);
    };
    check("priorites: []", "invalid policy: unknown field \"priorites\"");
    check(
        "priorities: [{name: EqualPriority, wieght: 2}]",
        "invalid policy: unknown field \"priorities.wieght\"",
    );
    check(
        "predicates: [{name: Region, arguments: {}}]",
        "invalid policy: unknown field \"predicates.arguments\"",
    );
}

#[test]
fn arguments_may_have_any_name_and_keep_the_place_of_their_rule() {
    let text = "
kind: Policy
apiVersion: v1
alwaysCheckAllPredicates: true
hardPodAffinitySymmetricWeight: 7
predicates:
- {name: RequireX, argument: {labelsPresence: {labels: [x], presence: true}}}
- {name: PodFitsPorts}
priorities:
- {name: PreferSSD, weight: 3, argument: {labelPreference: {label: ssd, presence: true}}}
- name: Packed
  weight: 2
  argument: {requestedToCapacityRatioArguments: {shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}]}}
";
    let profile = parse(text).unwrap();
    assert_eq!(names(&profile), ["CheckNodeCondition", "PodFitsHostPorts", "RequireX"]);
    assert_eq!(weights(&profile), [("PreferSSD", 3), ("Packed", 2)]);
    assert!(profile.always_check_all_predicates);
    assert_eq!(profile.hard_pod_affinity_weight, 7);
}

#[test]
fn mistakes_are_refused_in_upstreams_words() {
    let policy = |rest: &str| format!("kind: Policy\napiVersion: v1\n{rest}\n");
    for (text, words) in [
        (
            policy("predicates: [{name: PodFitsPort}]"),
            "Invalid configuration: Predicate type not found for PodFitsPort",
        ),
        (
            policy("priorities: [{name: LeastRequested, weight: 1}]"),
            "Invalid configuration: Priority type not found for LeastRequested",
        ),
        (
            policy("priorities: [{name: EqualPriority}]"),
            "Priority EqualPriority should have a positive weight applied to it or it has overflown",
        ),
        (
            policy("predicates: [{name: A, argument: {serviceAfinity: {labels: [a]}}}]"),
            "Exactly 1 predicate argument is required, numArgs: 0, Predicate: A",
        ),
        (
            policy("hardPodAffinitySymmetricWeight: 101"),
            "invalid hardPodAffinitySymmetricWeight: 101, must be in the range 0-100",
        ),
        (
            policy("extenders: [{urlPrefix: 'http://a', prioritizeVerb: p}]"),
            "Priority for extender http://a should have a positive weight applied to it",
        ),
        (
            policy("extenders: [{urlPrefix: a, bindVerb: b}, {urlPrefix: c, bindVerb: b}]"),
            "Only one extender can implement bind, found 2",
        ),
        (
            "kind: Polcy\napiVersion: v1".to_owned(),
            "invalid policy: no kind \"Polcy\" is registered for version \"v1\"",
        ),
    ] {
        assert_eq!(parse(&text).unwrap_err().to_string(), words);
    }
    assert!(matches!(parse("{"), Err(Error::Syntax(_))));
}
