//! A controller as its users write them: a store kept by a reflector, and a reconciler whose writes
//! bring it its next keys.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::{reflector, watcher};
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::json;

/// How many objects the controller looks after.
const COUNT: usize = 3;

/// Reflects config maps by list and watch and by streamed lists.
pub(crate) async fn reflects(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    for index in 0..COUNT {
        let map = json!({"metadata": {"name": format!("want-{index}"), "labels": {"kept": "yes"}}});
        maps.create(&PostParams::default(), &serde_json::from_value(map)?).await?;
    }
    for config in [kept(), kept().streaming_lists()] {
        reflect(&maps, config).await?;
    }
    Ok(())
}

fn kept() -> watcher::Config {
    watcher::Config::default().labels("kept=yes")
}

/// A store that has everything, and hears of a deletion. It has what was listed once the list is whole.
async fn reflect(maps: &Api<ConfigMap>, config: watcher::Config) -> Result<()> {
    let extra = json!({"metadata": {"name": "extra", "labels": {"kept": "yes"}}});
    maps.create(&PostParams::default(), &serde_json::from_value(extra)?).await?;
    let (store, writer) = reflector::store();
    let mut events = reflector(writer, watcher(maps.clone(), config)).boxed();
    while store.state().len() < COUNT + 1 {
        events.try_next().await?.context("the reflector ended")?;
    }
    maps.delete("extra", &DeleteParams::default()).await?;
    while store.state().len() > COUNT {
        events.try_next().await?.context("the reflector ended")?;
    }
    Ok(())
}

/// Applies a secret owned by the map.
async fn keep(map: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, kube::Error> {
    let namespace = map.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced((*client).clone(), &namespace);
    let owner = map.controller_owner_ref(&());
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": map.name_any(), "ownerReferences": [owner]}, "stringData": {"k": "v"}});
    let manager = PatchParams::apply("keeper").force();
    secrets.patch(&map.name_any(), &manager, &Patch::Apply(secret)).await?;
    Ok(Action::await_change())
}

/// Runs the controller until each map was reconciled and a secret that was deleted is back.
pub(crate) async fn reconciles(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let secrets: Api<Secret> = Api::default_namespaced(client.clone());
    let mut turns = Controller::new(maps.clone(), kept())
        .owns(secrets.clone(), watcher::Config::default())
        .run(keep, |_, _, _| Action::requeue(Duration::from_secs(1)), Arc::new(client.clone()))
        .boxed();
    let mut done = std::collections::BTreeSet::new();
    while done.len() < COUNT {
        let (map, _) = turns.try_next().await?.context("the controller ended")?;
        done.insert(map.name);
    }
    let before = secrets.get("want-0").await?;
    secrets.delete("want-0", &DeleteParams::default()).await?;
    loop {
        turns.try_next().await?.context("the controller ended")?;
        if let Some(after) = secrets.get_opt("want-0").await?
            && after.uid() != before.uid()
        {
            break;
        }
    }
    // What is owned goes with its owner.
    let gone = secrets.get("want-1").await?.uid().context("no uid")?;
    maps.delete("want-1", &DeleteParams::default()).await?;
    let deleted = kube::runtime::conditions::is_deleted(&gone);
    kube::runtime::wait::await_condition(secrets, "want-1", deleted).await?;
    ensure!(maps.get_opt("want-1").await?.is_none(), "the map is still there");
    Ok(())
}
