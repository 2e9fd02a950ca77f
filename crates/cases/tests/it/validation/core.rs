//! Core kinds: whole objects, updates and the parts of pods.

use apimachinery::field::{Error, Path};
use apimachinery::{Value, json};

use super::{Place, change, part, put, switches_off, whole};
use crate::errors::{agree, below, path};
use crate::harness::{Outcome, Row, Suites};

const FILE: &str = "validation-and-defaults/core-validation.json.gz";

pub(super) fn register(suites: &mut Suites) {
    objects(suites);
    updates(suites);
    pod_parts(suites);
    pod_structs(suites);
    container_parts(suites);
    other_parts(suites);
}

fn objects(suites: &mut Suites) {
    for (name, arg, resource) in [
        ("ValidateConfigMap", "cfg", &api::CONFIG_MAPS),
        ("ValidateEndpoints", "endpoints", &api::ENDPOINTS),
        ("ValidateEvent", "event", &api::EVENTS),
        ("ValidateLimitRange", "limitRange", &api::LIMIT_RANGES),
        ("ValidateNamespace", "namespace", &api::NAMESPACES),
        ("ValidateNode", "node", &api::NODES),
        ("ValidatePersistentVolume", "pv", &api::PERSISTENT_VOLUMES),
        ("ValidatePersistentVolumeClaim", "pvc", &api::PERSISTENT_VOLUME_CLAIMS),
        ("ValidatePod", "pod", &api::PODS),
        ("ValidateReplicationController", "controller", &api::REPLICATION_CONTROLLERS),
        ("ValidateResourceQuota", "resourceQuota", &api::RESOURCE_QUOTAS),
        ("ValidateSecret", "secret", &api::SECRETS),
        ("ValidateService", "service", &api::SERVICES),
    ] {
        whole(suites, FILE, name, arg, resource);
    }
}

fn updates(suites: &mut Suites) {
    for (name, args, resource) in [
        ("ValidateConfigMapUpdate", ["newCfg", "oldCfg"], &api::CONFIG_MAPS),
        ("ValidateNamespaceUpdate", ["newNamespace", "oldNamespace"], &api::NAMESPACES),
        ("ValidateNodeUpdate", ["node", "oldNode"], &api::NODES),
        ("ValidatePersistentVolumeUpdate", ["newPv", "oldPv"], &api::PERSISTENT_VOLUMES),
        (
            "ValidatePersistentVolumeClaimUpdate",
            ["newPvc", "oldPvc"],
            &api::PERSISTENT_VOLUME_CLAIMS,
        ),
        ("ValidatePodUpdate", ["newPod", "oldPod"], &api::PODS),
        (
            "ValidateReplicationControllerUpdate",
            ["controller", "oldController"],
            &api::REPLICATION_CONTROLLERS,
        ),
        ("ValidateServiceUpdate", ["service", "oldService"], &api::SERVICES),
    ] {
        change(suites, FILE, name, args, resource);
    }
}

/// A pod that nothing is wrong with.
pub(super) fn pod() -> Value {
    json!({
        "metadata": {"name": "name", "namespace": "namespace"},
        "spec": {
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "containers": [container()],
        },
    })
}

fn container() -> Value {
    json!({
        "name": "ctr",
        "image": "image",
        "imagePullPolicy": "Always",
        "terminationMessagePolicy": "File",
    })
}

/// Upstream's internal pods keep four fields of the spec in its security context.
fn served_spec(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for field in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
        let value = spec["securityContext"][field].clone();
        if !value.is_null() {
            spec[field] = value;
        }
    }
    if spec["securityContext"].is_null() {
        put(&mut spec, "/securityContext", Value::Null);
    }
    spec
}

/// Errors of the fields that upstream keeps in the security context, under its path.
fn moved(errors: Vec<Error>, spec: &str) -> Vec<Error> {
    let moved = |mut error: Error| {
        let field = error.field.to_string();
        if let Some(name) = field.strip_prefix(&format!("{spec}."))
            && name == "shareProcessNamespace"
        {
            error.field = Path::new(&format!("{spec}.securityContext.{name}"));
        }
        error
    };
    errors.into_iter().map(moved).collect()
}

/// Whether the recording lost the source of a volume: empty structs are left out of it.
fn was_cut(spec: &Value) -> bool {
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    let mut fields = volumes.map(|volume| volume.as_object().map_or(0, apimachinery::Map::len));
    fields.any(|count| count < 2)
}

/// Volumes with the names that `v1` gives to fields of upstream's internal form.
fn served_names(value: &Value) -> Value {
    let rename = |key: &str| match key {
        "cephMonitors" => "monitors".to_owned(),
        "rbdImage" => "image".to_owned(),
        "rbdPool" => "pool".to_owned(),
        "cephFS" => "cephfs".to_owned(),
        "wwiDs" => "wwids".to_owned(),
        "dataDiskURI" => "diskURI".to_owned(),
        key => key.to_owned(),
    };
    match value {
        Value::Object(map) => {
            map.iter().map(|(key, value)| (rename(key), served_names(value))).collect()
        }
        Value::Array(list) => list.iter().map(served_names).collect(),
        other => other.clone(),
    }
}

fn in_pod(pointer: &'static str, field: &'static str) -> Place {
    Place { resource: &api::PODS, base: pod, pointer, field }
}

fn pod_parts(suites: &mut Suites) {
    suites.add(FILE, "ValidatePodSpec", |row| {
        if was_cut(row.arg("spec")) || switches_off(row) {
            return Outcome::Skip;
        }
        let mut pod = pod();
        put(&mut pod, "/spec", served_spec(row.arg("spec")));
        let to = path(row.arg("fldPath")).expect("a path").to_string();
        let mut got = moved(below(api::validation::create(&api::PODS, &pod), "spec", &to), &to);
        // Upstream asks this of whole pods, apart from the spec.
        got.retain(|error| error.detail != "must not have leading or trailing whitespace");
        agree(&got, row.result(0))
    });
    part(
        suites,
        FILE,
        "ValidateTolerations",
        ["tolerations", "fldPath"],
        in_pod("/spec/tolerations", "spec.tolerations"),
    );
    part(
        suites,
        FILE,
        "ValidateHostAliases",
        ["hostAliases", "fldPath"],
        in_pod("/spec/hostAliases", "spec.hostAliases"),
    );
    part(
        suites,
        FILE,
        "ValidatePreferredSchedulingTerms",
        ["terms", "fldPath"],
        in_pod(
            "/spec/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution",
            "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution",
        ),
    );
    for (name, arg, below_required) in [
        ("ValidateNodeSelector", "nodeSelector", ""),
        ("ValidateNodeSelectorTerm", "term", "nodeSelectorTerms"),
        ("ValidateNodeSelectorRequirement", "rq", "matchExpressions"),
        ("ValidateNodeFieldSelectorRequirement", "req", "matchFields"),
    ] {
        suites.add(FILE, name, move |row| node_selector(row, arg, below_required));
    }
    for name in [
        "ValidatePodSpecificAnnotations",
        "ValidateAppArmorPodAnnotations",
        "ValidateSeccompPodAnnotations",
    ] {
        suites.add(FILE, name, move |row| annotations(row, name));
    }
}

fn pod_structs(suites: &mut Suites) {
    suites.add(FILE, "ValidateVolumes", |row| {
        let lost = json!({"volumes": row.arg("volumes")});
        let lost_part = row.result(1).to_string().contains("projected.sources[1]: Forbidden");
        if was_cut(&lost) || lost_part {
            return Outcome::Skip;
        }
        let mut pod = pod();
        put(&mut pod, "/spec/volumes", served_names(row.arg("volumes")));
        let to = path(row.arg("fldPath")).expect("a path").to_string();
        let errors = below(api::validation::create(&api::PODS, &pod), "spec.volumes", &to);
        agree(&errors, row.result(1))
    });
    suites.add(FILE, "ValidatePodSecurityContext", |row| {
        let mut pod = pod();
        let mut spec = row.arg("spec").clone();
        put(&mut spec, "/securityContext", row.arg("securityContext").clone());
        // The feature is off in 3.11, and the field dropped before it could be refused.
        if row.result(0).to_string().contains("ShareProcessNamespace") {
            return Outcome::Skip;
        }
        put(&mut pod, "/spec", served_spec(&spec));
        let to = path(row.arg("fldPath")).expect("a path").to_string();
        let errors = moved(api::validation::create(&api::PODS, &pod), "spec");
        agree(&below(errors, "spec.securityContext", &to), row.result(0))
    });
}

fn node_selector(row: &Row<'_>, arg: &str, list: &str) -> Outcome {
    let given = row.arg(arg).clone();
    let (required, deeper) = match list {
        "" => (given, ""),
        "nodeSelectorTerms" => (json!({"nodeSelectorTerms": [given]}), ".nodeSelectorTerms[0]"),
        "matchExpressions" => (
            json!({"nodeSelectorTerms": [{"matchExpressions": [given]}]}),
            ".nodeSelectorTerms[0].matchExpressions[0]",
        ),
        _ => (
            json!({"nodeSelectorTerms": [{"matchFields": [given]}]}),
            ".nodeSelectorTerms[0].matchFields[0]",
        ),
    };
    let mut pod = pod();
    let place = "requiredDuringSchedulingIgnoredDuringExecution";
    pod["spec"]["affinity"] = json!({"nodeAffinity": {place: required}});
    let to = path(row.arg("fldPath")).expect("a path").to_string();
    let at = format!("spec.affinity.nodeAffinity.{place}{deeper}");
    agree(&below(api::validation::create(&api::PODS, &pod), &at, &to), row.result(0))
}

fn annotations(row: &Row<'_>, function: &str) -> Outcome {
    let mut pod = pod();
    if row.arg("spec").is_object() {
        put(&mut pod, "/spec", row.arg("spec").clone());
    }
    put(&mut pod, "/metadata/annotations", row.arg("annotations").clone());
    let to = path(row.arg("fldPath")).expect("a path").to_string();
    let errors = below(api::validation::create(&api::PODS, &pod), "metadata.annotations", &to);
    let own = |error: &Error| match function {
        "ValidateAppArmorPodAnnotations" => error.field.to_string().contains("apparmor"),
        "ValidateSeccompPodAnnotations" => error.field.to_string().contains("seccomp"),
        // What every object's annotations must be is not asked here.
        _ => error.field.to_string() != to,
    };
    let errors: Vec<Error> = errors.into_iter().filter(own).collect();
    agree(&errors, row.result(0))
}

fn container_parts(suites: &mut Suites) {
    for (name, arg, pointer, field) in [
        ("ValidateEnv", "vars", "/spec/containers/0/env", "spec.containers[0].env"),
        ("ValidateEnvFrom", "vars", "/spec/containers/0/envFrom", "spec.containers[0].envFrom"),
        (
            "ValidateResourceRequirements",
            "requirements",
            "/spec/containers/0/resources",
            "spec.containers[0].resources",
        ),
        (
            "ValidateSecurityContext",
            "sc",
            "/spec/containers/0/securityContext",
            "spec.containers[0].securityContext",
        ),
    ] {
        part(suites, FILE, name, [arg, "fldPath"], in_pod(pointer, field));
    }
    suites.add(FILE, "ValidateVolumeMounts", |row| {
        // Block devices are dropped while their feature is off, as in 3.11.
        if switches_off(row) || row.result(0).to_string().contains("in volumeDevices") {
            return Outcome::Skip;
        }
        let volumes = row.arg("volumes").as_object().map(named_volumes).unwrap_or_default();
        let mut pod = pod();
        let mut container = container();
        for key in ["securityContext", "resources"] {
            put(&mut container, &format!("/{key}"), row.arg("container")[key].clone());
        }
        container["volumeMounts"] = row.arg("mounts").clone();
        let devices = row.arg("voldevices").as_object().into_iter().flatten();
        container["volumeDevices"] =
            devices.map(|(name, path)| json!({"name": name, "devicePath": path})).collect();
        pod["spec"]["containers"] = json!([container]);
        pod["spec"]["volumes"] = volumes.into();
        let errors = api::validation::create(&api::PODS, &pod);
        let to = path(row.arg("fldPath")).expect("a path").to_string();
        agree(&below(errors, "spec.containers[0].volumeMounts", &to), row.result(0))
    });
    suites.add(FILE, "ValidateVolumeDevices", |row| {
        // Block devices are dropped while their feature is off, as in 3.11.
        let refused = row.result(0).as_array().is_some_and(|errors| !errors.is_empty());
        if switches_off(row) || refused {
            return Outcome::Skip;
        }
        let volumes = row.arg("volumes").as_object().map(named_volumes).unwrap_or_default();
        let mut pod = pod();
        let mut container = container();
        container["volumeDevices"] = row.arg("devices").clone();
        let mounts = row.arg("volmounts").as_object().into_iter().flatten();
        container["volumeMounts"] =
            mounts.map(|(name, path)| json!({"name": name, "mountPath": path})).collect();
        pod["spec"]["containers"] = json!([container]);
        pod["spec"]["volumes"] = volumes.into();
        let errors = api::validation::create(&api::PODS, &pod);
        let to = path(row.arg("fldPath")).expect("a path").to_string();
        agree(&below(errors, "spec.containers[0].volumeDevices", &to), row.result(0))
    });
}

/// Sources by volume name as a pod's list of volumes.
fn named_volumes(sources: &apimachinery::Map) -> Vec<Value> {
    let volume = |(name, source): (&apimachinery::Text, &Value)| {
        let mut volume = source.clone();
        volume["name"] = json!(name);
        volume
    };
    sources.iter().map(volume).collect()
}

fn replicated() -> Value {
    json!({
        "metadata": {"name": "name", "namespace": "namespace"},
        "spec": {"replicas": 1, "selector": {"a": "b"}},
    })
}

fn other_parts(suites: &mut Suites) {
    let rc = Place {
        resource: &api::REPLICATION_CONTROLLERS,
        base: replicated,
        pointer: "/spec",
        field: "spec",
    };
    part(suites, FILE, "ValidateReplicationControllerSpec", ["spec", "fldPath"], rc);
    suites.add(FILE, "ValidatePodTemplateSpecForRC", |row| {
        let mut object = replicated();
        put(&mut object, "/spec/replicas", row.arg("replicas").clone());
        put(&mut object, "/spec/selector", row.arg("selectorMap").clone());
        put(&mut object, "/spec/template", row.arg("template").clone());
        let errors = api::validation::create(&api::REPLICATION_CONTROLLERS, &object);
        agree(&below(errors, "spec.template", "spec.template"), row.result(0))
    });
    let template = Place {
        resource: &api::POD_TEMPLATES,
        base: || json!({"metadata": {"name": "name", "namespace": "namespace"}}),
        pointer: "/template",
        field: "template",
    };
    part(suites, FILE, "ValidatePodTemplateSpec", ["spec", "fldPath"], template);
    let quota = Place {
        resource: &api::RESOURCE_QUOTAS,
        base: || json!({"metadata": {"name": "name", "namespace": "namespace"}}),
        pointer: "/spec",
        field: "spec",
    };
    part(suites, FILE, "ValidateResourceQuotaSpec", ["resourceQuotaSpec", "fld"], quota);
    let claim = Place { resource: &api::PERSISTENT_VOLUME_CLAIMS, ..quota };
    part(suites, FILE, "ValidatePersistentVolumeClaimSpec", ["spec", "fldPath"], claim);
}
