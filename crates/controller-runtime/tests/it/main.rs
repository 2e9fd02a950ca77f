//! The loop against a real API server in a simulated world.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::json;
use apiserver::{ApiServer, PatchKind};
use controller_runtime::{
    Context, Controller, Driver, Error, EventType, Faults, Key, Requeue, Step, Watching, same_key,
};
use parking_lot::Mutex;
use world::{Time, World};

/// Labels every config map it sees and records when it looked.
#[derive(Debug, Default)]
struct Labeller {
    looked: Arc<Mutex<Vec<(Time, Key)>>>,
    again: Option<Duration>,
    fail_first: bool,
}

impl Controller for Labeller {
    fn name(&self) -> &'static str {
        "labeller"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&api::CONFIG_MAPS, same_key)]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        self.looked.lock().push((cx.world.now(), key.clone()));
        if std::mem::take(&mut self.fail_first) {
            return Err(Error::Retry(apimachinery::Status::internal("not now")));
        }
        let Some(map) = cx.caches.get_key(&api::CONFIG_MAPS, key) else { return Ok(Requeue::Done) };
        if map.label("seen").is_empty() {
            let patch = json!({"metadata": {"labels": {"seen": "yes"}}});
            cx.client.patch(
                &api::CONFIG_MAPS,
                key.namespace(),
                key.name(),
                PatchKind::Merge,
                patch,
            )?;
            cx.recorder.event("labeller", &map, EventType::Normal, "Labelled", "labelled it");
        }
        Ok(self.again.map_or(Requeue::Done, Requeue::After))
    }
}

fn cluster(labeller: Labeller) -> Driver {
    let world = World::simulated(1);
    let server = ApiServer::builder(world.clone()).build();
    apiserver::bootstrap(&server).expect("an empty server can be filled");
    let mut driver = Driver::new(world, server);
    driver.add(Box::new(labeller));
    driver
}

fn config_map(name: &str) -> apimachinery::Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

#[test]
fn a_change_reaches_the_reconciler_and_its_write_comes_back() {
    let mut driver = cluster(Labeller::default());
    let client = driver.client().clone();
    client.create(&api::CONFIG_MAPS, "default", config_map("a")).unwrap();
    driver.settle();
    assert_eq!(client.get(&api::CONFIG_MAPS, "default", "a").unwrap().label("seen"), "yes");
    let events = client.list(&api::EVENTS, "default").unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].str_at(&["involvedObject", "name"]), "a");

    let revision = client.server().store().revision();
    driver.settle();
    assert_eq!(client.server().store().revision(), revision, "a quiet cluster writes nothing");
}

#[test]
fn a_failed_key_comes_back_after_a_back_off() {
    let looked = Arc::default();
    let labeller = Labeller { looked: Arc::clone(&looked), fail_first: true, again: None };
    let mut driver = cluster(labeller);
    driver.client().create(&api::CONFIG_MAPS, "default", config_map("a")).unwrap();
    driver.settle();
    assert_eq!(looked.lock().len(), 1);
    let Step::Idle { next: Some(next) } = driver.step() else { panic!("a timer is set") };
    assert_eq!(next, world::SIMULATION_EPOCH + Duration::from_millis(5));
    assert!(driver.run_until(next, &mut |_| looked.lock().len() > 1));
}

#[test]
fn time_jumps_from_timer_to_timer() {
    let looked = Arc::default();
    let again = Some(Duration::from_secs(10));
    let labeller = Labeller { looked: Arc::clone(&looked), again, fail_first: false };
    let mut driver = cluster(labeller);
    driver.client().create(&api::CONFIG_MAPS, "default", config_map("a")).unwrap();
    let deadline = world::SIMULATION_EPOCH + Duration::from_secs(35);
    assert!(!driver.run_until(deadline, &mut |_| false));
    let seconds: Vec<u64> =
        looked.lock().iter().map(|(at, _)| (*at - world::SIMULATION_EPOCH).as_secs()).collect();
    assert_eq!(seconds.last(), Some(&30));
}

#[test]
fn a_deleted_object_leaves_the_cache() {
    let mut driver = cluster(Labeller::default());
    let client = driver.client().clone();
    client.create(&api::CONFIG_MAPS, "default", config_map("a")).unwrap();
    driver.settle();
    client.delete(&api::CONFIG_MAPS, "default", "a", Default::default()).unwrap();
    driver.settle();
    assert!(driver.caches().get(&api::CONFIG_MAPS, "default", "a").is_none());
}

/// A driver with one labeller, a config map that is not labelled yet and the faults of its server.
fn faulty(labeller: Labeller) -> (Driver, Faults) {
    let (world, faults) = (World::simulated(1), Faults::default());
    let server = ApiServer::builder(world.clone()).admission(Box::new(faults.clone())).build();
    apiserver::bootstrap(&server).expect("a new server");
    let mut driver = Driver::new(world, server);
    driver.set_faults(faults.clone());
    driver.add(Box::new(labeller));
    driver.client().create(&api::CONFIG_MAPS, "default", config_map("a")).expect("a new name");
    (driver, faults)
}

fn is_labelled(driver: &Driver) -> bool {
    driver.client().get(&api::CONFIG_MAPS, "default", "a").expect("made above").label("seen")
        == "yes"
}

#[test]
fn a_lost_write_is_not_done_and_a_lost_answer_is() {
    for (lose, done) in [(true, false), (false, true)] {
        let looked = Arc::default();
        let labeller = Labeller { looked: Arc::clone(&looked), ..Labeller::default() };
        let (mut driver, faults) = faulty(labeller);
        if lose {
            faults.lose(0);
        } else {
            faults.unanswer(0);
        }
        driver.settle();
        assert_eq!((is_labelled(&driver), driver.take_killed()), (done, Vec::new()));
        let deadline = world::SIMULATION_EPOCH + Duration::from_secs(1);
        driver.run_until(deadline, &mut |_| false);
        assert!(is_labelled(&driver), "it is tried again");
    }
}

#[test]
fn whoever_is_killed_at_an_answer_has_written() {
    for (before, done) in [(true, false), (false, true)] {
        let (mut driver, faults) = faulty(Labeller::default());
        if before {
            faults.arm(0);
        } else {
            faults.arm_answer(0);
        }
        driver.step();
        assert_eq!((is_labelled(&driver), driver.take_killed()), (done, vec![0]));
    }
}

#[test]
fn an_old_instance_works_on_with_what_it_knew() {
    let (old, new) = (Arc::default(), Arc::default());
    let (mut driver, _) = faulty(Labeller { looked: Arc::clone(&old), ..Labeller::default() });
    assert!(driver.busy().is_empty(), "nothing is known yet");
    driver.sync();
    assert_eq!(driver.busy().len(), 1);
    let fresh = Labeller { looked: Arc::clone(&new), ..Labeller::default() };
    assert!(driver.usurp(0, Box::new(fresh), (2, 1)));
    driver.step();
    assert!(is_labelled(&driver) && old.lock().is_empty() && new.lock().len() == 1);
    let patch = json!({"metadata": {"labels": {"seen": null}}});
    let client = driver.client().clone();
    driver.settle();
    let looks = new.lock().len();
    drop(client.patch(&api::CONFIG_MAPS, "default", "a", PatchKind::Merge, patch).unwrap());
    assert_eq!((old.lock().len(), looks), (1, 2), "the old one has worked once");
}

#[test]
fn a_cut_watch_lists_anew() {
    let looked = Arc::default();
    let (mut driver, _) = faulty(Labeller { looked: Arc::clone(&looked), ..Labeller::default() });
    driver.settle();
    let looks = looked.lock().len();
    driver.settle();
    assert_eq!(looked.lock().len(), looks);
    driver.client().create(&api::CONFIG_MAPS, "default", config_map("b")).unwrap();
    driver.cut_watch(5);
    driver.settle();
    let keys: Vec<String> =
        looked.lock()[looks..].iter().map(|(_, key)| key.name().to_string()).collect();
    assert!(keys.contains(&"a".to_owned()) && keys.contains(&"b".to_owned()), "{keys:?}");
}
