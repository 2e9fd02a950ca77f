//! Bodies of creates, through decoding, defaults, admission, validation, the store, the columns of
//! tables and a deletion. The kind is the one the body names.
//!
//! Holds: nothing is answered with 500; what was stored is decoded without complaint and read back the same.

use api::decode::{self, Mode};
use api::schema::type_of;
use apimachinery::Value;
use apiserver::{Body, Call, User};
use bytes::Bytes;
use world::World;

use super::patch::server;
use super::{Target, check, difference, kind, refused, samples, shape};

pub(super) const TARGET: Target = Target {
    name: "object",
    samples: || samples(SAMPLES),
    words: &[
        "\"Deployment\"",
        "\"apps/v1\"",
        "\"Service\"",
        "\"metadata\":",
        "\"spec\":",
        "\"name\":",
        "\"100m\"",
        "\"1Gi\"",
        "\"25%\"",
        "\"2020-01-01T00:00:00Z\"",
        "\"10.1.2.3\"",
        "\"TCP\"",
        "\"Always\"",
        "\"ports\":",
        "-1",
        "65536",
        "\"a/b\"",
        "\"\"",
        "{}",
        "[]",
        "[{}]",
        "[null]",
    ],
    max: 60_000,
    attempt,
};

const SAMPLES: &[&str] = &[
    r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"x":"y"},"annotations":{"k":"v"},"ownerReferences":[{"apiVersion":"v1","kind":"X","name":"x","uid":"u","controller":true}],"finalizers":["a/b"]},"spec":{"containers":[{"name":"c","image":"hello:v1","command":["sh"],"ports":[{"containerPort":80,"hostPort":80,"name":"http"}],"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],"resources":{"requests":{"cpu":"100m","memory":"1Gi"},"limits":{"cpu":1}},"livenessProbe":{"httpGet":{"path":"/","port":"http"}},"volumeMounts":[{"name":"v","mountPath":"/v"}]}],"volumes":[{"name":"v","configMap":{"name":"m","items":[{"key":"a","path":"b","mode":420}]}}],"tolerations":[{"key":"k","operator":"Exists"}],"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}]}}}}}"#,
    r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":{"replicas":2,"selector":{"matchLabels":{"a":"b"}},"strategy":{"rollingUpdate":{"maxSurge":"25%","maxUnavailable":1}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#,
    r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"type":"NodePort","clusterIP":"172.30.1.2","ports":[{"port":80,"targetPort":"http","nodePort":30080,"name":"a"}],"selector":{"a":"b"},"externalIPs":["1.2.3.4"]}}"#,
    r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"a-"},"data":{"a":"b"},"binaryData":{"c":"AAH/"}}"#,
    r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"type":"kubernetes.io/dockercfg","data":{".dockercfg":"e30="},"stringData":{"x":"y"}}"#,
    r#"{"apiVersion":"apps.openshift.io/v1","kind":"DeploymentConfig","metadata":{"name":"a"},"spec":{"replicas":1,"strategy":{"type":"Rolling","rollingParams":{"maxSurge":"25%","pre":{"failurePolicy":"Abort","execNewPod":{"containerName":"c","command":["x"]}}}},"triggers":[{"type":"ConfigChange"},{"type":"ImageChange","imageChangeParams":{"containerNames":["c"],"from":{"kind":"ImageStreamTag","name":"a:b"}}}],"selector":{"a":"b"},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":" "}]}}}}"#,
    r#"{"apiVersion":"image.openshift.io/v1","kind":"ImageStream","metadata":{"name":"a"},"spec":{"tags":[{"name":"b","from":{"kind":"DockerImage","name":"x/y:z"},"importPolicy":{"scheduled":true}}]}}"#,
    r#"{"apiVersion":"route.openshift.io/v1","kind":"Route","metadata":{"name":"a"},"spec":{"host":"a.b","to":{"kind":"Service","name":"s","weight":100},"tls":{"termination":"edge"},"port":{"targetPort":8080}}}"#,
    r#"{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a"},"spec":{"completions":1,"parallelism":1,"backoffLimit":6,"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}"#,
    r#"{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"a"},"spec":{"hard":{"pods":"10","requests.cpu":"1","count/x.y":"2"},"scopes":["BestEffort"]}}"#,
    r#"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"a"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"],"resourceNames":["x"]}]}"#,
    r#"{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"a"},"spec":{"podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}],"ports":[{"port":80}]}]}}"#,
];

fn attempt(input: &[u8]) -> Result<String, String> {
    let Ok((api_version, named)) = decode::interpret(input) else { return Ok(String::new()) };
    let gvk = apimachinery::Gvk::from_api_version(&api_version, &named);
    let resource = api::find_kind(&gvk.group, &gvk.version, &gvk.kind).unwrap_or(&api::PODS);
    let client = server()?;
    let server = client.server();
    let user = User::system_admin();
    let namespace = if resource.namespaced() { "test" } else { "" };
    let call = Call::new(&user, resource).within(namespace);
    let body = Body::from(Bytes::copy_from_slice(input));
    let stored = match server.create(&call, body) {
        Ok(written) => written.object.value(),
        Err(status) => return refused(&status),
    };
    if let Some(of) = type_of(resource.group, resource.version, resource.kind) {
        let again = decode::from_value(of, (*stored).clone(), Mode::Strict)
            .map_err(|error| format!("what was stored is refused: {error}"))?;
        let twice = decode::from_value(of, again.value.clone(), Mode::Strict);
        check(twice == Ok(again), || "what was decoded decodes differently".to_owned())?;
    }
    let cells = api::columns::cells(resource, &stored, World::simulated(1).now());
    let columns = api::columns::columns(resource).len();
    check(cells.len() == columns, || format!("{} cells in {columns} columns", cells.len()))?;
    let name = stored["metadata"]["name"].as_str().unwrap_or_default();
    let call = call.named(name);
    if let Ok(read) = server.get(&call) {
        check(read.value() == stored, || "what was stored is read differently".to_owned())?;
        unchanged(server, &call, &stored)?;
    }
    Ok(format!("{} {}", resource.kind, shape(&stored)))
}

/// An update with what is there is taken; a second one changes nothing.
fn unchanged(server: &apiserver::ApiServer, call: &Call<'_>, stored: &Value) -> Result<(), String> {
    let updated = match server.update(call, stored.clone()) {
        Ok(updated) => updated.object.value(),
        Err(status) if status.code < 500 && status.code != 422 => return Ok(()),
        Err(status) => return Err(format!("an update with itself: {}", kind(&status.message))),
    };
    let again = server.update(call, (*updated).clone());
    let again = again.map_err(|status| format!("refused again: {}", kind(&status.message)))?;
    match difference(&updated, &again.object.value()) {
        Some(place) => Err(format!("an update with itself changes {place}")),
        None => Ok(()),
    }
}
