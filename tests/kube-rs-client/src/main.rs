//! Drives the cluster of `KUBECONFIG` through kube-rs, unmodified: create, list, watch, apply, streams
//! and a controller. Says `everything held` at the end.
//!
//! A package of its own: kube-rs and the types of Kubernetes are built only for the one test that runs
//! this.
//!
//! Invariant: nothing sleeps; every wait is a watch with an end.
mod controller;
mod identity;
mod objects;
mod streams;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use kube::discovery::Discovery;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, ResourceExt as _};
use serde_json::json;

/// The longest that anything here may take.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let client = Client::try_default().await?;
    let version = client.apiserver_version().await?;
    ensure!(version.major == "1", "{version:?}");
    within("identity", identity::by_certificate_and_token(&client)).await?;
    within("typed calls", objects::typed(&client)).await?;
    within("dynamic calls", objects::dynamic(&client)).await?;
    let pod = within("deployment", deployment(&client)).await?;
    within("lists", pages(&client)).await?;
    within("server-side apply", applied(&client)).await?;
    within("discovery", discovered(&client)).await?;
    within("watchers", objects::watched(&client)).await?;
    within("reflector", controller::reflects(&client)).await?;
    within("controller", controller::reconciles(&client)).await?;
    within("exec", streams::exec(&client, &pod)).await?;
    within("logs", streams::logs(&client, &pod)).await?;
    within("port-forward", streams::ports(&client, &pod)).await?;
    within("sub-resources", objects::subresources(&client, &pod)).await?;
    println!("everything held");
    Ok(())
}

/// What is tried, with its name in whatever goes wrong and an end to whatever hangs.
#[expect(clippy::disallowed_methods, reason = "a client on the host's clock; it has no world")]
async fn within<T>(name: &'static str, tried: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = tokio::time::timeout(LIMIT, tried).await;
    outcome.unwrap_or_else(|late| Err(late.into())).context(name)
}

/// Creates a deployment and waits for it; gives the name of its pod.
async fn deployment(client: &Client) -> Result<String> {
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let web: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    }))?;
    let made = deployments.create(&PostParams::default(), &web).await?;
    ensure!(
        made.spec.as_ref().is_some_and(|spec| spec.replicas == Some(1)),
        "replicas are not defaulted"
    );
    let complete = conditions::is_deployment_completed();
    await_condition(deployments.clone(), "web", complete).await?;

    let again = deployments.create(&PostParams::default(), &web).await;
    let conflict = matches!(&again, Err(kube::Error::Api(status)) if status.code == 409);
    ensure!(conflict, "{again:?}");
    let patch = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "web", "env": [{"name": "COLOUR", "value": "blue"}]}]}}}});
    let patched =
        deployments.patch("web", &PatchParams::default(), &Patch::Strategic(&patch)).await?;
    let containers = patched.spec.unwrap_or_default().template.spec.context("no template")?;
    let image = containers.containers[0].image.as_deref();
    ensure!(image == Some("web:1"), "a strategic patch keeps the image: {image:?}");
    let scale = Patch::Merge(json!({"spec": {"replicas": 2}}));
    let scaled = deployments.patch_scale("web", &PatchParams::default(), &scale).await?;
    ensure!(scaled.spec.and_then(|spec| spec.replicas) == Some(2), "not scaled");
    // The condition `Progressing` may still tell of the rollout before, whose pod goes.
    let stands = |web: Option<&Deployment>| {
        web.and_then(|web| Some((web.metadata.generation, web.status.as_ref()?))).is_some_and(
            |(generation, status)| {
                let counts = [status.replicas, status.updated_replicas, status.available_replicas];
                status.observed_generation == generation && counts == [Some(2); 3]
            },
        )
    };
    await_condition(deployments, "web", stands).await?;

    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let running = ListParams::default().labels("app=web").fields("status.phase=Running");
    let list = pods.list(&running).await?;
    let alive = list.items.iter().find(|pod| pod.metadata.deletion_timestamp.is_none());
    Ok(alive.context("no pod runs")?.name_any())
}

/// Lists in pages, deletes by selector, watches what happens.
async fn pages(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    for index in 0..5 {
        let map = json!({"metadata": {"name": format!("page-{index}"), "labels": {"page": "yes"}}});
        maps.create(&PostParams::default(), &serde_json::from_value(map)?).await?;
    }
    let mut names = Vec::new();
    let mut params = ListParams::default().labels("page=yes").limit(2);
    let version = loop {
        let page = maps.list(&params).await?;
        names.extend(page.items.iter().map(kube::ResourceExt::name_any));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break page.metadata.resource_version.unwrap_or_default(),
        }
    };
    ensure!(names == ["page-0", "page-1", "page-2", "page-3", "page-4"], "{names:?}");
    let metadata = maps.list_metadata(&ListParams::default().labels("page=yes")).await?;
    ensure!(metadata.items.len() == 5, "metadata of {}", metadata.items.len());

    maps.delete_collection(&DeleteParams::default(), &ListParams::default().labels("page=yes"))
        .await?;
    let params = WatchParams::default().labels("page=yes").timeout(60);
    let mut events = maps.watch(&params, &version).await?.boxed();
    let mut gone = 0;
    while gone < 5 {
        let event = events.try_next().await?.context("the watch ended early")?;
        gone += i32::from(matches!(event, WatchEvent::Deleted(_)));
    }
    Ok(())
}

/// Server-side apply: ownership, conflict, force.
async fn applied(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let map = |colour: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "paint"},
            "data": {"colour": colour}})
    };
    let first = PatchParams::apply("first");
    let made = maps.patch("paint", &first, &Patch::Apply(map("blue"))).await?;
    let managers = made.managed_fields();
    ensure!(managers.len() == 1 && managers[0].manager.as_deref() == Some("first"), "{managers:?}");
    let second = PatchParams::apply("second");
    let refused = maps.patch("paint", &second, &Patch::Apply(map("red"))).await;
    let conflict = matches!(&refused, Err(kube::Error::Api(status)) if status.code == 409);
    ensure!(conflict, "{refused:?}");
    let forced = maps.patch("paint", &second.force(), &Patch::Apply(map("red"))).await?;
    ensure!(forced.data.is_some_and(|data| data["colour"] == "red"), "force does not win");
    Ok(())
}

/// Discovery, aggregated and plain, down to kinds of OpenShift.
async fn discovered(client: &Client) -> Result<()> {
    for aggregated in [false, true] {
        let discovery = Discovery::new(client.clone());
        let discovery =
            if aggregated { discovery.run_aggregated().await? } else { discovery.run().await? };
        let group = discovery.get("apps.openshift.io").context("no group apps.openshift.io")?;
        let (resource, _) = group.recommended_kind("DeploymentConfig").context("no such kind")?;
        ensure!(resource.plural == "deploymentconfigs", "{resource:?}");
        let configs: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
        ensure!(configs.list(&ListParams::default()).await?.items.is_empty(), "there are some");
    }
    Ok(())
}
