//! What is printed about placed and waiting pods.

use apimachinery::json;
use insta::assert_snapshot;
use scheduler::{Profile, policy};

use crate::cluster::Cluster;

fn three_nodes() -> Cluster {
    let cluster = Cluster::new(1, Profile::default());
    cluster.add_node("blue", "2", &json!({"metadata": {"labels": {"disk": "ssd"}}}));
    cluster.add_node("green", "4", &json!({}));
    let taint =
        json!({"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}});
    cluster.add_node("red", "4", &taint);
    cluster
}

#[test]
fn a_placed_pod() {
    let mut cluster = three_nodes();
    cluster.add_pod("web", "500m", &json!({}));
    cluster.settle(1);
    assert_snapshot!(cluster.why("web").text(), @r#"
pod/web waits: green has not started it yet

By the cluster's policy the scheduler chooses green, from the cluster as it stood at revision 9: where the pod went.

Which nodes can take it? Every answer must be yes.

  blue  green  red  question (predicate)
  yes   yes    yes  Is the node ready and open for new pods? (CheckNodeCondition)
  yes   yes    yes  Has it the CPU, memory, ports, labels and name that the pod asks for? (GeneralPredicates)
  yes   yes    yes  Is no disk of the pod in use there by another pod? (NoDiskConflict)
  yes   yes    NO   Does the pod tolerate everything the node is tainted with? (PodToleratesNodeTaints)
  yes   yes    yes  Is it in the same region as the other pods of the service? (Region)
  yes   yes    yes  Can it attach more Amazon EBS volumes? (MaxEBSVolumeCount)
  yes   yes    yes  Can it attach more Google persistent disks? (MaxGCEPDVolumeCount)
  yes   yes    yes  Can it attach more CSI volumes? (MaxCSIVolumeCount)
  yes   yes    yes  Can it attach more Azure disks? (MaxAzureDiskVolumeCount)
  yes   yes    yes  Can the pod's volume claims be had there? (CheckVolumeBinding)
  yes   yes    yes  Is it in the zone of the pod's volumes? (NoVolumeZoneConflict)
  yes   yes    yes  Has it memory to spare (asked for pods without requests)? (CheckNodeMemoryPressure)
  yes   yes    yes  Can it start more processes? (CheckNodePIDPressure)
  yes   yes    yes  Has it disk space to spare? (CheckNodeDiskPressure)
  yes   yes    yes  Are the right pods near, and no wrong ones? (MatchInterPodAffinity)

Why not?

  red  PodToleratesNodeTaints: node(s) had taints that the pod didn't tolerate (tainted with gpu=yes:NoSchedule)

Which of them is best? Each point is worth 0 to 10, times its weight; the sum decides.

     green      blue  what is liked (priority)
        10        10  Few pods of the same service or controller on the node and in its zone (SelectorSpreadPriority)
         0         0  Pods near that the pod likes, none that it avoids (InterPodAffinityPriority)
         8         8  Much CPU and memory left (LeastRequestedPriority)
         8         7  CPU and memory taken in equal parts (BalancedResourceAllocation)
  10×10000  10×10000  Does not ask to be spared pods of this controller (NodePreferAvoidPodsPriority)
         0         0  Has the labels that the pod prefers (NodeAffinityPriority)
        10        10  Few PreferNoSchedule taints that the pod does not tolerate (TaintTolerationPriority)
       0×2       0×2  Few pods of the same service where the label "zone" is the same (Zone)
    100036    100035  sum

green has the best sum, 100036, alone.
"#);
}

#[test]
fn a_tie_and_another_policy() {
    let mut cluster = Cluster::new(1, Profile::default());
    for name in ["a", "b", "c"] {
        cluster.add_node(name, "4", &json!({}));
    }
    for name in ["p", "q"] {
        cluster.add_pod(name, "1", &json!({}));
        cluster.settle(1);
    }
    assert_snapshot!(cluster.why("q").text(), @r#"
pod/q waits: a has not started it yet

By the cluster's policy the scheduler chooses a, from the cluster as it stood at revision 12: where the pod went.

Which nodes can take it? Every answer must be yes.

  a    b    c    question (predicate)
  yes  yes  yes  Is the node ready and open for new pods? (CheckNodeCondition)
  yes  yes  yes  Has it the CPU, memory, ports, labels and name that the pod asks for? (GeneralPredicates)
  yes  yes  yes  Is no disk of the pod in use there by another pod? (NoDiskConflict)
  yes  yes  yes  Does the pod tolerate everything the node is tainted with? (PodToleratesNodeTaints)
  yes  yes  yes  Is it in the same region as the other pods of the service? (Region)
  yes  yes  yes  Can it attach more Amazon EBS volumes? (MaxEBSVolumeCount)
  yes  yes  yes  Can it attach more Google persistent disks? (MaxGCEPDVolumeCount)
  yes  yes  yes  Can it attach more CSI volumes? (MaxCSIVolumeCount)
  yes  yes  yes  Can it attach more Azure disks? (MaxAzureDiskVolumeCount)
  yes  yes  yes  Can the pod's volume claims be had there? (CheckVolumeBinding)
  yes  yes  yes  Is it in the zone of the pod's volumes? (NoVolumeZoneConflict)
  yes  yes  yes  Has it memory to spare (asked for pods without requests)? (CheckNodeMemoryPressure)
  yes  yes  yes  Can it start more processes? (CheckNodePIDPressure)
  yes  yes  yes  Has it disk space to spare? (CheckNodeDiskPressure)
  yes  yes  yes  Are the right pods near, and no wrong ones? (MatchInterPodAffinity)

Which of them is best? Each point is worth 0 to 10, times its weight; the sum decides.

         b         a         c  what is liked (priority)
        10        10        10  Few pods of the same service or controller on the node and in its zone (SelectorSpreadPriority)
         0         0         0  Pods near that the pod likes, none that it avoids (InterPodAffinityPriority)
         8         8         7  Much CPU and memory left (LeastRequestedPriority)
         7         7         5  CPU and memory taken in equal parts (BalancedResourceAllocation)
  10×10000  10×10000  10×10000  Does not ask to be spared pods of this controller (NodePreferAvoidPodsPriority)
         0         0         0  Has the labels that the pod prefers (NodeAffinityPriority)
        10        10        10  Few PreferNoSchedule taints that the pod does not tolerate (TaintTolerationPriority)
       0×2       0×2       0×2  Few pods of the same service where the label "zone" is the same (Zone)
    100035    100035    100032  sum

Tie: 2 nodes share the best sum, 100035, and take turns: b, a.
The scheduler counts its ties: this was number 1. 1 divided by 2 leaves 1, and in the list, counted from 0, that is a.
"#);
    let text = r#"{"kind": "Policy", "apiVersion": "v1",
        "predicates": [{"name": "PodFitsResources"}],
        "priorities": [{"name": "MostRequestedPriority", "weight": 2}]}"#;
    let other = policy::parse(text).unwrap();
    assert_snapshot!(cluster.ask("q", Some(&other)).text(), @r"
pod/q waits: a has not started it yet

By the policy given the scheduler would choose c, from the cluster as it stood at revision 12; the pod went to a.

Which nodes can take it? Every answer must be yes.

  a    b    c    question (predicate)
  yes  yes  yes  Is the node ready and open for new pods? (CheckNodeCondition)
  yes  yes  yes  Is enough CPU, memory and room for pods left? (PodFitsResources)

Which of them is best? Each point is worth 0 to 10, times its weight; the sum decides.

    c    b    a  what is liked (priority)
  2×2  1×2  1×2  Little CPU and memory left: fill one node after the other (MostRequestedPriority)
    4    2    2  sum

c has the best sum, 4, alone.
");
}

#[test]
fn a_pod_that_fits_nowhere() {
    let mut cluster = three_nodes();
    cluster.patch_node("green", json!({"spec": {"unschedulable": true}}));
    cluster.add_pod("big", "3", &json!({}));
    cluster.add_pod("huge", "16", &json!({}));
    cluster.add_pod("picky", "1", &json!({"nodeSelector": {"disk": "nvme"}}));
    cluster.settle(60);
    assert_snapshot!(cluster.why("big").text(), @r"
pod/big is held: no node can take it: 0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had taints that the pod didn't tolerate, 1 node(s) were unschedulable.
    rule: A pod runs on a node that passes every question of the scheduler's policy.

By the cluster's policy it fits on no node, from the cluster as it stands at revision 33.

Which nodes can take it? Every answer must be yes.

  blue  green  red  question (predicate)
  yes   NO     yes  Is the node ready and open for new pods? (CheckNodeCondition)
  NO    yes    yes  Has it the CPU, memory, ports, labels and name that the pod asks for? (GeneralPredicates)
  yes   yes    yes  Is no disk of the pod in use there by another pod? (NoDiskConflict)
  yes   yes    NO   Does the pod tolerate everything the node is tainted with? (PodToleratesNodeTaints)
  yes   yes    yes  Is it in the same region as the other pods of the service? (Region)
  yes   yes    yes  Can it attach more Amazon EBS volumes? (MaxEBSVolumeCount)
  yes   yes    yes  Can it attach more Google persistent disks? (MaxGCEPDVolumeCount)
  yes   yes    yes  Can it attach more CSI volumes? (MaxCSIVolumeCount)
  yes   yes    yes  Can it attach more Azure disks? (MaxAzureDiskVolumeCount)
  yes   yes    yes  Can the pod's volume claims be had there? (CheckVolumeBinding)
  yes   yes    yes  Is it in the zone of the pod's volumes? (NoVolumeZoneConflict)
  yes   yes    yes  Has it memory to spare (asked for pods without requests)? (CheckNodeMemoryPressure)
  yes   yes    yes  Can it start more processes? (CheckNodePIDPressure)
  yes   yes    yes  Has it disk space to spare? (CheckNodeDiskPressure)
  yes   yes    yes  Are the right pods near, and no wrong ones? (MatchInterPodAffinity)

Why not?

  blue   GeneralPredicates: Insufficient cpu (the pod asks for 3 cpu; of 2 here, 0 are taken and 2 free)
  green  CheckNodeCondition: node(s) were unschedulable (it is cordoned)
  red    PodToleratesNodeTaints: node(s) had taints that the pod didn't tolerate (tainted with gpu=yes:NoSchedule)

What would help?

  - Open the node: kubectl uncordon green
  - Give the pod a toleration for gpu=yes:NoSchedule, or: kubectl taint node red gpu=yes:NoSchedule-
");
    assert_snapshot!(cluster.why("huge").placement.unwrap().help.join("\n"), @r"Ask for less cpu, or add a larger node: the pod asks for 16, the largest node has 4 in all");
    assert_snapshot!(cluster.why("picky").placement.unwrap().help.join("\n"), @r"
Label a node: kubectl label node blue disk=nvme
Or change what the pod asks for: nodeSelector, node affinity
");
    // What helps on either of two nodes is said once.
    cluster.patch_node("green", json!({"spec": {"unschedulable": null}}));
    cluster.add_pod("picky2", "1", &json!({"nodeSelector": {"disk": "nvme"}}));
    let spec = json!({"containers": [{"name": "main", "image": "x",
        "resources": {"requests": {"ephemeral-storage": "1Gi"}}}]});
    cluster.add_pod("odd", "1", &spec);
    cluster.settle(60);
    assert_snapshot!(cluster.why("picky2").placement.unwrap().help.join("\n"), @r"
Label a node: kubectl label node blue disk=nvme
Or change what the pod asks for: nodeSelector, node affinity
");
    assert_snapshot!(cluster.why("odd").placement.unwrap().help.join("\n"), @r"Ask for less ephemeral-storage, or add a larger node: the pod asks for 1Gi, the largest node has 0 in all");
}

#[test]
fn no_node_is_given_the_name_of_another() {
    let mut cluster = three_nodes();
    let selector = json!({"nodeSelector": {"kubernetes.io/hostname": "blue"}});
    cluster.add_pod("web", "3", &selector);
    cluster.settle(1);
    let text = cluster.why("web").text();
    assert!(text.contains("it lacks the label kubernetes.io/hostname=blue"), "{text}");
    assert!(!text.contains("kubectl label node"), "{text}");
}

#[test]
fn nodes_that_answer_alike_share_a_column() {
    let mut cluster = Cluster::new(1, Profile::default());
    for number in 0..20 {
        let cpu = if number % 5 == 0 { "4" } else { "1" };
        cluster.add_node(&format!("n{number:02}"), cpu, &json!({}));
    }
    cluster.add_pod("web", "2", &json!({}));
    cluster.settle(1);
    assert_snapshot!(cluster.why("web").text(), @r#"
pod/web waits: n15 has not started it yet

By the cluster's policy the scheduler chooses n15, from the cluster as it stood at revision 43: where the pod went.

Which nodes can take it? Every answer must be yes.

  n00 +3  n01 +15  question (predicate)
  yes     yes      Is the node ready and open for new pods? (CheckNodeCondition)
  yes     NO       Has it the CPU, memory, ports, labels and name that the pod asks for? (GeneralPredicates)
  yes     yes      Is no disk of the pod in use there by another pod? (NoDiskConflict)
  yes     yes      Does the pod tolerate everything the node is tainted with? (PodToleratesNodeTaints)
  yes     yes      Is it in the same region as the other pods of the service? (Region)
  yes     yes      Can it attach more Amazon EBS volumes? (MaxEBSVolumeCount)
  yes     yes      Can it attach more Google persistent disks? (MaxGCEPDVolumeCount)
  yes     yes      Can it attach more CSI volumes? (MaxCSIVolumeCount)
  yes     yes      Can it attach more Azure disks? (MaxAzureDiskVolumeCount)
  yes     yes      Can the pod's volume claims be had there? (CheckVolumeBinding)
  yes     yes      Is it in the zone of the pod's volumes? (NoVolumeZoneConflict)
  yes     yes      Has it memory to spare (asked for pods without requests)? (CheckNodeMemoryPressure)
  yes     yes      Can it start more processes? (CheckNodePIDPressure)
  yes     yes      Has it disk space to spare? (CheckNodeDiskPressure)
  yes     yes      Are the right pods near, and no wrong ones? (MatchInterPodAffinity)

  n00 +3 stands for n00, n05, n10, n15

  n01 +15 stands for n01, n02, n03, n04, n06, n07, n08, n09, n11, n12, n13, n14, …

Why not?

  n01 +15  GeneralPredicates: Insufficient cpu (the pod asks for 2 cpu; of 1 here, 0 are taken and 1 free)

Which of them is best? Each point is worth 0 to 10, times its weight; the sum decides.

       n15       n10       n05       n00  what is liked (priority)
        10        10        10        10  Few pods of the same service or controller on the node and in its zone (SelectorSpreadPriority)
         0         0         0         0  Pods near that the pod likes, none that it avoids (InterPodAffinityPriority)
         7         7         7         7  Much CPU and memory left (LeastRequestedPriority)
         5         5         5         5  CPU and memory taken in equal parts (BalancedResourceAllocation)
  10×10000  10×10000  10×10000  10×10000  Does not ask to be spared pods of this controller (NodePreferAvoidPodsPriority)
         0         0         0         0  Has the labels that the pod prefers (NodeAffinityPriority)
        10        10        10        10  Few PreferNoSchedule taints that the pod does not tolerate (TaintTolerationPriority)
       0×2       0×2       0×2       0×2  Few pods of the same service where the label "zone" is the same (Zone)
    100032    100032    100032    100032  sum

Tie: 4 nodes share the best sum, 100032, and take turns: n15, n10, n05, n00.
The scheduler counts its ties: this was number 0. 0 divided by 4 leaves 0, and in the list, counted from 0, that is n15.
"#);
}

#[test]
fn no_nodes_and_a_missing_claim() {
    let mut cluster = Cluster::new(1, Profile::default());
    cluster.add_pod("web", "2", &json!({}));
    cluster.settle(1);
    assert_snapshot!(cluster.why("web").text(), @r"
pod/web is held: no node can take it: no nodes available to schedule pods
    rule: A pod runs on a node that passes every question of the scheduler's policy.

By the cluster's policy it fits on no node, from the cluster as it stands at revision 6.

What would help?

  - Add a node: rehearse up --nodes 1
");
    cluster.add_node("a", "4", &json!({}));
    let volume = json!([{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]);
    cluster.add_pod("db", "1", &json!({"volumes": volume}));
    cluster.settle(1);
    assert_snapshot!(cluster.why("db").text(), @r#"
pod/db is held: no node can take it: persistentvolumeclaim "data" not found
    rule: A pod runs on a node that passes every question of the scheduler's policy.

By the cluster's policy it fits on no node, from the cluster as it stands at revision 14.

What would help?

  - Create the claim that the pod names, or name another
"#);
}

#[test]
fn every_rule_has_a_sentence() {
    for name in scheduler::predicates::ORDER {
        let Some(predicate) = scheduler::predicates::named(name) else { continue };
        let question = why::glossary::question(&*predicate);
        assert!(question.ends_with('?') && !question.contains("policy allow"), "{name}");
    }
    let listed = [
        "SelectorSpreadPriority",
        "ServiceSpreadingPriority",
        "InterPodAffinityPriority",
        "LeastRequestedPriority",
        "MostRequestedPriority",
        "BalancedResourceAllocation",
        "NodePreferAvoidPodsPriority",
        "NodeAffinityPriority",
        "TaintTolerationPriority",
        "ImageLocalityPriority",
        "EqualPriority",
        "ResourceLimitsPriority",
        "RequestedToCapacityRatioPriority",
    ];
    for name in listed {
        let Some(priority) = scheduler::priorities::named(name) else { continue };
        assert_ne!(why::glossary::liking(&*priority), "What the policy says", "{name}");
    }
}
