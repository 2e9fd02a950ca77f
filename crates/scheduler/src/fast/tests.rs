//! Seeded clusters on which pods come and go: the fast decision is the plain one, every time.

use std::sync::Arc;

use apimachinery::Value;
use apimachinery::{Map, json};
use controller_runtime::Key;
use world::World;

use super::*;
use crate::{NodeInfo, policy};

/// A cluster that changes at random.
struct Chaos {
    world: World,
    snapshot: Snapshot,
    fast: Fast,
    profile: Profile,
    turn: u64,
    placed: Vec<Key>,
    count: usize,
}

impl Chaos {
    fn new(seed: u64, profile: Profile) -> Self {
        let world = World::simulated(seed);
        let (snapshot, fast) = (Snapshot::default(), Fast::default());
        Self { world, snapshot, fast, profile, turn: 0, placed: Vec::new(), count: 0 }
    }

    fn below(&self, bound: u64) -> usize {
        usize::try_from(self.world.random_below(bound)).unwrap()
    }

    fn one<'a, T: ?Sized>(&self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len() as u64)]
    }

    fn chance(&self, percent: u64) -> bool {
        self.world.random_below(100) < percent
    }

    fn set_node(&mut self) {
        let name = format!("n{}", self.below(12));
        if self.chance(10) {
            self.snapshot.remove_node(&name);
            return;
        }
        let mut labels = Map::from_iter([("kubernetes.io/hostname".to_owned(), json!(name))]);
        for (key, values) in [
            ("region", ["r1", "r2"]),
            ("zone", ["z1", "z2"]),
            ("failure-domain.beta.kubernetes.io/zone", ["f1", "f2"]),
            ("disk", ["ssd", "hdd"]),
        ] {
            if self.chance(70) {
                labels.insert(key.to_owned(), json!(self.one(&values)));
            }
        }
        let effect = self.one(&["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        let taints =
            if self.chance(25) { json!([{"key": "t", "effect": effect}]) } else { json!([]) };
        let ready = if self.chance(90) { "True" } else { "False" };
        let allocatable = json!({"cpu": self.one(&["2", "4", "8"]), "memory": "8Gi",
            "pods": self.one(&["8", "110"])});
        let avoid = json!({"preferAvoidPods": [{"podSignature": {"podController":
            {"kind": "ReplicationController", "uid": "u1"}}}]});
        let annotations = if self.chance(10) {
            json!({"scheduler.alpha.kubernetes.io/preferAvoidPods": avoid.to_string()})
        } else {
            json!({})
        };
        self.snapshot.set_node(&Arc::new(json!({
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
            "spec": {"taints": taints, "unschedulable": self.chance(5)},
            "status": {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": ready}]},
        })));
    }

    fn set_owner(&mut self) {
        let resource = self.one(&[&api::SERVICES, &api::REPLICATION_CONTROLLERS]);
        let name = format!("o{}", self.below(3));
        let namespace = self.one(&["a", "b"]);
        let key = Key::new(namespace, &name);
        let selector = json!({"app": self.one(&["x", "y"])});
        let owner = Arc::new(json!({"metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": selector}}));
        let present = self.chance(80);
        self.snapshot.set(resource, &key, present.then_some(&owner));
    }

    fn terms(&self, preferred: bool) -> Value {
        let key = self.one(&["kubernetes.io/hostname", "zone", "region"]);
        let selector = json!({"matchLabels": {"app": self.one(&["x", "y"])}});
        let term = json!({"labelSelector": selector, "topologyKey": key});
        if preferred {
            json!({"preferredDuringSchedulingIgnoredDuringExecution":
                [{"weight": 1 + self.below(50), "podAffinityTerm": term}]})
        } else {
            json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]})
        }
    }

    fn pod(&mut self) -> PodInfo {
        self.count += 1;
        let mut affinity = json!({});
        if self.chance(15) {
            affinity["podAffinity"] = self.terms(self.chance(60));
        }
        if self.chance(15) {
            affinity["podAntiAffinity"] = self.terms(self.chance(50));
        }
        if self.chance(15) {
            let wanted = json!([{"key": "disk", "operator": "In", "values": ["ssd"]}]);
            affinity["nodeAffinity"] = json!({"preferredDuringSchedulingIgnoredDuringExecution":
                [{"weight": 3, "preference": {"matchExpressions": wanted}}]});
        }
        let mut spec = json!({"affinity": affinity, "containers": [{"name": "c", "resources":
            {"requests": {"cpu": self.one(&["0", "100m", "700m"]), "memory": "128Mi"}}}]});
        if self.chance(10) {
            spec["containers"][0]["ports"] = json!([{"hostPort": 80}]);
        }
        if self.chance(30) {
            spec["tolerations"] = json!([{"key": "t", "operator": "Exists"}]);
        }
        if self.chance(10) {
            spec["nodeSelector"] = json!({"region": self.one(&["r1", "r2"])});
        }
        let owner = json!([{"kind": "ReplicationController", "uid": self.one(&["u1", "u2"]),
            "controller": true}]);
        PodInfo::new(Arc::new(json!({
            "metadata": {"name": format!("p{}", self.count), "namespace": self.one(&["a", "b"]),
                "labels": {"app": self.one(&["x", "y", "z"])}, "ownerReferences": owner},
            "spec": spec,
        })))
    }

    fn schedule(&mut self) {
        let pod = self.pod();
        let plain = decide(&self.profile, &self.snapshot, &pod, self.turn);
        let fast = self.fast.choose(&self.profile, &mut self.snapshot, &pod, self.turn);
        if let Some(fast) = fast {
            assert_eq!(
                (&fast.outcome, fast.took_turn),
                (&plain.outcome, plain.took_turn()),
                "pod {} in {plain:#?}",
                *pod.pod
            );
        } else {
            assert!(self.snapshot.is_empty());
        }
        self.turn += u64::from(plain.took_turn());
        if let Outcome::Node(node) = plain.outcome {
            self.check_mandatory(&pod, &node);
            let key = Key::of(&pod.pod);
            self.snapshot.place(&key, &pod, &node);
            self.placed.push(key);
        }
    }

    /// What every kubelet would refuse is never decided.
    fn check_mandatory(&self, pod: &PodInfo, node: &str) {
        let node: &NodeInfo = self.snapshot.node(node).expect("a node that is there");
        let room = node.allocatable.milli_cpu - node.requested.milli_cpu;
        assert!(pod.request.milli_cpu == 0 || pod.request.milli_cpu <= room);
        assert!(i64::try_from(node.pods.len()).unwrap() < node.allowed_pods);
        assert!(pod.host_ports.iter().all(|port| !node.is_port_taken(port)));
        assert_eq!(node.condition("Ready"), "True");
    }

    fn step(&mut self) {
        match self.world.random_below(100) {
            0..5 => self.set_node(),
            5..8 => self.set_owner(),
            8..30 if !self.placed.is_empty() => {
                let index = self.below(self.placed.len() as u64);
                let key = self.placed.swap_remove(index);
                self.snapshot.displace(&key);
            }
            _ => self.schedule(),
        }
    }
}

fn check(profile: &Profile, seeds: u64) {
    for seed in 0..seeds {
        let mut chaos = Chaos::new(seed, profile.clone());
        for _ in 0..10 {
            chaos.set_node();
        }
        for _ in 0..250 {
            chaos.step();
        }
    }
}

#[test]
fn the_fast_decision_is_the_plain_one_under_openshifts_policy() {
    check(&policy::openshift(), 30);
}

#[test]
fn the_fast_decision_is_the_plain_one_under_every_priority() {
    let names = [
        ("ServiceSpreadingPriority", 3),
        ("MostRequestedPriority", 1),
        ("ImageLocalityPriority", 1),
        ("ResourceLimitsPriority", 1),
        ("RequestedToCapacityRatioPriority", 1),
        ("InterPodAffinityPriority", 2),
        ("NodeAffinityPriority", 2),
    ];
    check(&Profile::of(&["GeneralPredicates", "CheckNodeUnschedulable"], &names).unwrap(), 15);
    check(&Profile::of(&["MatchInterPodAffinity", "GeneralPredicates"], &[]).unwrap(), 15);
}

#[test]
fn what_is_remembered_may_be_lost_at_any_time() {
    let mut chaos = Chaos::new(7, policy::openshift());
    for _ in 0..400 {
        if chaos.chance(5) {
            chaos.fast = Fast::default();
        }
        chaos.step();
    }
}
