//! Objects made, read, changed and deleted, with types and without, and their sub-resources.

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, EvictParams, GroupVersionKind, ListParams,
    Patch, PatchParams, PostParams, Preconditions,
};
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{conditions, wait::await_condition, watcher};
use kube::{Client, ResourceExt as _};
use serde_json::json;

/// Typed calls on a config map, to its end.
pub(crate) async fn typed(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let options = PostParams::default();
    let map = serde_json::from_value(json!({"metadata": {"generateName": "typed-"},
        "data": {"a": "1"}}))?;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let tried = maps.create(&dry, &map).await?;
    ensure!(maps.get_opt(&tried.name_any()).await?.is_none(), "a dry run is stored");
    let made = maps.create(&options, &map).await?;
    let name = made.name_any();
    ensure!(name.starts_with("typed-") && made.uid().is_some(), "{name}");

    let mut newer = maps.get(&name).await?;
    newer.data.get_or_insert_default().insert("b".to_owned(), "2".to_owned());
    let replaced = maps.replace(&name, &options, &newer).await?;
    ensure!(replaced.resource_version() != made.resource_version(), "nothing was replaced");
    let stale = maps.replace(&name, &options, &made).await;
    ensure!(refused_with(&stale, 409), "{stale:?}");
    let patch = Patch::Merge(json!({"data": {"a": null, "c": "3"}}));
    let patched = maps.patch(&name, &PatchParams::default(), &patch).await?;
    let keys: Vec<String> = patched.data.unwrap_or_default().into_keys().collect();
    ensure!(keys == ["b", "c"], "{keys:?}");
    let metadata = maps.get_metadata(&name).await?;
    ensure!(metadata.metadata.uid == made.metadata.uid, "{metadata:?}");

    let other = Preconditions { uid: Some("other".to_owned()), ..Preconditions::default() };
    let refused = maps.delete(&name, &DeleteParams::default().preconditions(other)).await;
    ensure!(refused_with(&refused, 409), "another object was deleted");
    maps.delete(&name, &DeleteParams::default()).await?;
    let gone = maps.get(&name).await;
    ensure!(refused_with(&gone, 404), "{gone:?}");
    let strict = PostParams::default();
    let invalid = serde_json::from_value(json!({"metadata": {"name": "Not A Name"}}))?;
    let refused = maps.create(&strict, &invalid).await;
    ensure!(refused_with(&refused, 422), "{refused:?}");
    Ok(())
}

/// The same without types, of a kind that only OpenShift has and of one that is defined here.
pub(crate) async fn dynamic(client: &Client) -> Result<()> {
    let config = json!({"apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig",
        "metadata": {"name": "dynamic"}, "spec": {"replicas": 0, "selector": {"app": "dynamic"},
        "template": {"metadata": {"labels": {"app": "dynamic"}},
            "spec": {"containers": [{"name": "c", "image": "web:1"}]}}}});
    let kind = GroupVersionKind::gvk("apps.openshift.io", "v1", "DeploymentConfig");
    let resource = ApiResource::from_gvk_with_plural(&kind, "deploymentconfigs");
    let configs: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
    let made = configs.create(&PostParams::default(), &serde_json::from_value(config)?).await?;
    ensure!(made.data["spec"]["strategy"]["type"] == "Rolling", "{:?}", made.data);
    let patch = Patch::Merge(json!({"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}}));
    let patched = configs.patch("dynamic", &PatchParams::default(), &patch).await?;
    ensure!(patched.data["spec"]["template"]["metadata"]["labels"]["x"] == "y", "{patched:?}");
    // A Scale of extensions/v1beta1, as 3.11 has it; typed calls read none but autoscaling/v1.
    let scale = configs.get_subresource("scale", "dynamic").await?;
    ensure!(scale.types.is_some_and(|types| types.kind == "Scale"), "not its scale");
    let propagation = DeleteParams::foreground();
    configs.delete("dynamic", &propagation).await?;
    let uid = made.uid().context("no uid")?;
    await_condition(configs, "dynamic", conditions::is_deleted(&uid)).await?;
    Ok(())
}

/// Scale and status, each by itself, and a pod that is evicted.
pub(crate) async fn subresources(client: &Client, pod: &str) -> Result<()> {
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let mut scale: Scale = deployments.get_scale("web").await?;
    let replicas = scale.spec.as_ref().and_then(|spec| spec.replicas);
    ensure!(replicas == Some(2), "{replicas:?}");
    scale.spec.get_or_insert_default().replicas = Some(3);
    deployments.replace_scale("web", &PostParams::default(), &scale).await?;
    let complete = conditions::is_deployment_completed();
    await_condition(deployments.clone(), "web", complete).await?;

    let condition = json!({"type": "Tested", "status": "True", "reason": "r", "message": "m",
        "lastTransitionTime": "2020-01-01T00:00:00Z", "lastUpdateTime": "2020-01-01T00:00:00Z"});
    let patch =
        Patch::Strategic(json!({"spec": {"replicas": 9}, "status": {"conditions": [condition]}}));
    let patched = deployments.patch_status("web", &PatchParams::default(), &patch).await?;
    ensure!(patched.spec.as_ref().and_then(|spec| spec.replicas) == Some(3), "a status scales");
    let conditions = deployments.get_status("web").await?.status.unwrap_or_default().conditions;
    let tested = conditions.iter().flatten().any(|condition| condition.type_ == "Tested");
    ensure!(tested, "{conditions:?}");

    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let uid = pods.get(pod).await?.uid().context("no uid")?;
    pods.evict(pod, &EvictParams::default()).await?;
    await_condition(pods, pod, conditions::is_deleted(&uid)).await?;
    Ok(())
}

/// A watcher sees what is there, what comes and what goes, however it lists.
pub(crate) async fn watched(client: &Client) -> Result<()> {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let marked = Config::default().labels("seen=yes");
    for (name, config) in [
        ("listed", marked.clone()),
        ("paged", marked.clone().page_size(1)),
        ("streamed", marked.clone().streaming_lists()),
    ] {
        let map = |suffix: &str| json!({"metadata": {"name": format!("{name}-{suffix}"), "labels": {"seen": "yes"}}});
        for suffix in ["a", "b"] {
            maps.create(&PostParams::default(), &serde_json::from_value(map(suffix))?).await?;
        }
        let mut events = watcher(maps.clone(), config).boxed();
        let mut said = Vec::new();
        while said.last().is_none_or(|last: &String| last != "deleted") {
            let event = events.try_next().await?.context("the watcher ended")?;
            said.push(match event {
                Event::Init => "init".to_owned(),
                Event::InitApply(map) => map.name_any(),
                Event::InitDone => {
                    let late = serde_json::from_value(map("c"))?;
                    maps.create(&PostParams::default(), &late).await?;
                    "done".to_owned()
                }
                Event::Apply(map) => {
                    maps.delete(&map.name_any(), &DeleteParams::default()).await?;
                    map.name_any()
                }
                Event::Delete(_) => "deleted".to_owned(),
            });
        }
        let (a, b, c) = (format!("{name}-a"), format!("{name}-b"), format!("{name}-c"));
        ensure!(said == ["init", &a, &b, "done", &c, "deleted"], "{said:?}");
        let all = ListParams::default().labels("seen=yes");
        maps.delete_collection(&DeleteParams::default(), &all).await?;
    }
    Ok(())
}

fn refused_with<T>(outcome: &kube::Result<T>, code: u16) -> bool {
    matches!(outcome, Err(kube::Error::Api(status)) if status.code == code)
}
