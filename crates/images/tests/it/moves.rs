//! Tags that move at random while triggers are being followed.
//!
//! Invariants under test: no trigger fires twice in a row for one image (every write of a follower
//! changes an image), none is lost (once all is quiet every follower has what its tag points to).

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use api::Resource;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{ApiServer, Client, DeleteOptions};
use controller_runtime::Driver;
use cri::sim::{Behaviour, SimImages};
use images::source::sim::Catalogue;
use images::stream::resolve_pull_spec;
use proptest::collection;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::{Config, RngSeed};
use world::World;

const NS: &str = "p";
const TAGS: [&str; 3] = ["latest", "stable", "outside"];
const OUTSIDE: &str = "r.example/a/app:1";

#[derive(Debug, Clone)]
enum Move {
    /// A push of one of four images to a tag.
    Push(u8, usize),
    /// `oc tag app:<from> app:<to>`, as an alias or of the image that is there now.
    Tag { from: usize, to: usize, alias: bool },
    /// `oc tag -d`.
    Delete(usize),
    /// The image outside is another one from now on, and somebody runs `oc import-image`.
    Import(u8),
    /// Half an hour, with its scheduled imports.
    Wait(u8),
    /// The controllers get to do this much.
    Steps(u8),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let tag = || 0..TAGS.len();
    let one = prop_oneof![
        (0..4_u8, tag()).prop_map(|(image, tag)| Move::Push(image, tag)),
        (tag(), tag(), any::<bool>()).prop_map(|(from, to, alias)| Move::Tag { from, to, alias }),
        tag().prop_map(Move::Delete),
        (0..3_u8).prop_map(Move::Import),
        (0..3_u8).prop_map(Move::Wait),
        (0..12_u8).prop_map(Move::Steps),
        Just(Move::Steps(40)),
    ];
    collection::vec(one, 1..40)
}

/// A follower and what was seen of it.
struct Follower {
    resource: &'static Resource,
    name: String,
    tag: &'static str,
    version: String,
    image: String,
}

struct Cluster {
    driver: Driver,
    client: Client,
    images: SimImages,
    world: World,
    followers: Vec<Follower>,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        let (world, images) = (World::simulated(seed), SimImages::new());
        let builder = ApiServer::builder(world.clone());
        let source = Arc::new(Catalogue(images.clone()));
        let server =
            images::register_with(builder, source, images::AllowedRegistries::default()).build();
        let mut driver = Driver::new(world.clone(), server);
        for controller in images::controllers() {
            driver.add(controller);
        }
        let client = driver.client().clone();
        client.create(&api::NAMESPACES, "", json!({"metadata": {"name": NS}})).unwrap();
        let stream = json!({
            "apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": {"name": "app"},
            "spec": {"tags": [{
                "name": "outside", "importPolicy": {"scheduled": true},
                "from": {"kind": "DockerImage", "name": OUTSIDE},
            }]},
        });
        client.create(&api::IMAGE_STREAMS, NS, stream).unwrap();
        let mut cluster = Self { driver, client, images, world, followers: Vec::new() };
        for tag in TAGS {
            cluster.follow(&api::DEPLOYMENT_CONFIGS, tag, &config(tag));
            cluster.follow(&api::DEPLOYMENTS, tag, &deployment(tag));
        }
        cluster
    }

    fn follow(&mut self, resource: &'static Resource, tag: &'static str, object: &Value) {
        let made = self.client.create(resource, NS, object.clone()).unwrap();
        self.followers.push(Follower {
            resource,
            name: made.name().to_owned(),
            tag,
            version: made.resource_version().to_owned(),
            image: image(&made),
        });
    }

    /// Looks at every follower: a write must have changed its image.
    fn look(&mut self) {
        for follower in &mut self.followers {
            let now = self.client.get(follower.resource, NS, &follower.name).unwrap();
            if now.resource_version() != follower.version {
                assert_ne!(image(&now), follower.image, "{} was triggered twice", follower.name);
                now.resource_version().clone_into(&mut follower.version);
                follower.image = image(&now);
            }
        }
    }

    fn steps(&mut self, count: u8) {
        for _ in 0..count {
            self.driver.step();
            self.look();
        }
    }

    fn apply(&mut self, step: &Move) {
        match step {
            Move::Push(number, tag) => self.push(*number, TAGS[*tag]),
            Move::Tag { from, to, alias } => self.tag(TAGS[*from], TAGS[*to], *alias),
            Move::Delete(tag) => {
                let name = format!("app:{}", TAGS[*tag]);
                let options = DeleteOptions::default();
                let _gone = self.client.delete(&api::IMAGE_STREAM_TAGS, NS, &name, options);
            }
            Move::Import(number) => {
                let code = Some(i64::from(*number));
                self.images.add(OUTSIDE, Behaviour { stop_code: code, ..Behaviour::default() });
                let import = json!({
                    "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamImport",
                    "metadata": {"name": "app"},
                    "spec": {"import": true, "images": [{
                        "from": {"kind": "DockerImage", "name": OUTSIDE}, "to": {"name": "outside"},
                        "importPolicy": {"scheduled": true},
                    }]},
                });
                self.client.create(&api::IMAGE_STREAM_IMPORTS, NS, import).unwrap();
            }
            Move::Wait(number) => {
                let code = Some(i64::from(*number));
                self.images.add(OUTSIDE, Behaviour { stop_code: code, ..Behaviour::default() });
                let until = self.world.now() + Duration::from_secs(1800);
                self.driver.run_until(until, &mut |_| false);
                // Several writes may lie between two looks here.
                for follower in &mut self.followers {
                    let now = self.client.get(follower.resource, NS, &follower.name).unwrap();
                    now.resource_version().clone_into(&mut follower.version);
                    follower.image = image(&now);
                }
            }
            Move::Steps(count) => self.steps(*count),
        }
    }

    fn push(&self, number: u8, tag: &str) {
        let digest = format!("sha256:{}", number.to_string().repeat(64));
        let mapping = json!({
            "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamMapping",
            "metadata": {"name": "app"}, "tag": tag,
            "image": {"metadata": {
                "name": digest, "annotations": {"openshift.io/image.managed": "true"}}},
        });
        self.client.create(&api::IMAGE_STREAM_MAPPINGS, NS, mapping).unwrap();
    }

    fn tag(&self, from: &str, to: &str, alias: bool) {
        if from == to {
            return;
        }
        let name = format!("app:{to}");
        let source = if alias {
            json!({"kind": "ImageStreamTag", "name": from})
        } else {
            let stream = self.client.get(&api::IMAGE_STREAMS, NS, "app").unwrap();
            let Some(event) = images::history::latest(&stream, from) else { return };
            json!({"kind": "ImageStreamImage", "name": format!("app@{}", event.image)})
        };
        let tag = json!({
            "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamTag",
            "metadata": {"name": name, "namespace": NS},
            "tag": {"name": to, "from": source},
        });
        self.client.update(&api::IMAGE_STREAM_TAGS, tag).unwrap();
    }

    /// Lets everything come to rest; every follower of a tag with an image must have it.
    fn settle(&mut self) {
        for _ in 0..400 {
            self.steps(1);
        }
        self.driver.settle();
        self.look();
        let stream = self.client.get(&api::IMAGE_STREAMS, NS, "app").unwrap();
        for follower in &self.followers {
            if let Some(wanted) = resolve_pull_spec(&stream, follower.tag) {
                assert_eq!(follower.image, wanted, "{} missed its image", follower.name);
            }
        }
    }
}

fn image(object: &Value) -> String {
    object["spec"]["template"]["spec"]["containers"][0].str_at(&["image"]).to_owned()
}

fn template(tag: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": tag}},
        "spec": {"containers": [{"name": "app", "image": "none"}]},
    })
}

fn config(tag: &str) -> Value {
    json!({
        "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig",
        "metadata": {"name": format!("dc-{tag}")},
        "spec": {
            "replicas": 1, "selector": {"app": tag}, "template": template(tag),
            "triggers": [{"type": "ImageChange", "imageChangeParams": {
                "automatic": true, "containerNames": ["app"],
                "from": {"kind": "ImageStreamTag", "name": format!("app:{tag}"), "namespace": NS}}}],
        },
    })
}

fn deployment(tag: &str) -> Value {
    let triggers = json!([{
        "from": {"kind": "ImageStreamTag", "name": format!("app:{tag}")},
        "fieldPath": "spec.template.spec.containers[?(@.name==\"app\")].image",
    }]);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": format!("deploy-{tag}"),
            "annotations": {"image.openshift.io/triggers": triggers.to_string()},
        },
        "spec": {"selector": {"matchLabels": {"app": tag}}, "template": template(tag)},
    })
}

proptest! {
    #![proptest_config(Config {
        rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default()
    })]

    #[test]
    fn no_trigger_fires_twice_for_an_image_and_none_is_lost(seed in any::<u64>(), moves in moves()) {
        let mut cluster = Cluster::new(seed);
        for step in &moves {
            cluster.apply(step);
            cluster.look();
        }
        cluster.settle();
    }
}
