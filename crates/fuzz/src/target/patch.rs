//! Patches of the four kinds, of a pod: the input is the patch.
//!
//! Holds: merging twice is merging once; applying twice changes nothing and is never answered with 500;
//! no patch makes a document large.

use api::schema::type_of;
use apimachinery::patch::{json_patch, merge_patch, strategic_merge};
use apimachinery::{Value, json};
use apiserver::{ApiServer, Client, PatchKind, User};
use world::World;

use super::{Target, check, kind, refused, samples, shape};

pub(super) const JSON: Target = Target {
    name: "json-patch",
    samples: || {
        samples(&[
            r#"[{"op":"add","path":"/metadata/labels/a~1b","value":"x"},{"op":"remove","path":"/metadata/labels/app"}]"#,
            r#"[{"op":"copy","from":"/spec","path":"/x"},{"op":"copy","from":"/x","path":"/x/y"},{"op":"move","from":"/x","path":"/z"}]"#,
            r#"[{"op":"test","path":"/spec/containers/0/name","value":"c"},{"op":"replace","path":"/spec/containers/-1/image","value":"y"},{"op":"add","path":"/spec/containers/-","value":{}}]"#,
        ])
    },
    words: &[
        "\"op\":",
        "\"path\":",
        "\"from\":",
        "\"copy\"",
        "\"move\"",
        "/-",
        "/-1",
        "/0",
        "/x",
        "~01",
    ],
    max: 200_000,
    attempt: json_attempt,
};

pub(super) const MERGE: Target = Target {
    name: "merge-patch",
    samples: || {
        samples(&[
            r#"{"metadata":{"labels":{"app":null,"b":"c"}},"spec":{"containers":[]}}"#,
            r#"{"spec":null,"a":{"b":{"c":null}}}"#,
        ])
    },
    words: &["null", "\"spec\":", "\"containers\":"],
    max: 200_000,
    attempt: merge_attempt,
};

pub(super) const STRATEGIC: Target = Target {
    name: "strategic-patch",
    samples: || {
        samples(&[
            r#"{"spec":{"containers":[{"name":"c","image":"z"},{"name":"d","$patch":"delete"}],"$setElementOrder/containers":[{"name":"d"},{"name":"c"}]}}"#,
            r#"{"metadata":{"$retainKeys":["name","finalizers"],"name":"x","finalizers":["x/c"],"$deleteFromPrimitiveList/finalizers":["x/b"]},"spec":{"$patch":"replace","volumes":[{"name":"v","$retainKeys":["name"]}]}}"#,
            r#"{"spec":{"containers":[{"$patch":"replace"},{"name":"e","ports":[{"containerPort":80}]}],"tolerations":[{"key":"a"}]}}"#,
        ])
    },
    words: &[
        "\"$patch\":",
        "\"delete\"",
        "\"replace\"",
        "\"merge\"",
        "\"$retainKeys\":",
        "\"$setElementOrder/containers\":",
        "\"$deleteFromPrimitiveList/finalizers\":",
        "\"name\":",
    ],
    max: 200_000,
    attempt: strategic_attempt,
};

pub(super) const APPLY: Target = Target {
    name: "apply-patch",
    samples: || {
        samples(&[
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: b}}\nspec:\n  containers:\n  - {name: c, image: x}\n",
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","annotations":{"a":"b"},"finalizers":["x/y"]},"spec":{"containers":[{"name":"c","image":"x","ports":[{"containerPort":80,"protocol":"TCP"}],"env":[{"name":"A","value":"1"}]}],"tolerations":[{"key":"k"}]}}"#,
        ])
    },
    words: &["containerPort", "protocol", "env", "ports", "name: ", "\"value\":", "managedFields"],
    max: 20_000,
    attempt: apply_attempt,
};

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "labels": {"app": "web"}, "finalizers": ["x/a", "x/b"]},
        "spec": {
            "containers": [
                {"name": "c", "image": "x", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
                {"name": "d", "image": "y", "env": [{"name": "A", "value": "1"}]},
            ],
            "volumes": [{"name": "v", "emptyDir": {}}],
        },
    })
}

/// The patch as the server reads it; nothing when it is no JSON.
fn read(input: &[u8]) -> Option<Value> {
    serde_json::from_slice(input).ok()
}

fn json_attempt(input: &[u8]) -> Result<String, String> {
    let Some(patch) = read(input) else { return Ok(String::new()) };
    match json_patch(&pod(), &patch) {
        Ok(patched) => {
            let size = patched.to_string().len();
            check(size < 20_000_000, || format!("grew to {size} bytes"))?;
            Ok(shape(&patched))
        }
        // What upstream has no code for is its 500.
        Err(status) => Ok(kind(&status.message)),
    }
}

fn merge_attempt(input: &[u8]) -> Result<String, String> {
    let Some(patch) = read(input) else { return Ok(String::new()) };
    let once = match merge_patch(&pod(), &patch) {
        Ok(once) => once,
        Err(status) => return Ok(kind(&status.message)),
    };
    let twice = merge_patch(&once, &patch).map_err(|status| status.message)?;
    check(once == twice, || "merging twice differs".to_owned())?;
    Ok(shape(&once))
}

fn strategic_attempt(input: &[u8]) -> Result<String, String> {
    let Some(patch) = read(input) else { return Ok(String::new()) };
    let of = type_of("", "v1", "Pod").ok_or("there are pods")?;
    match strategic_merge(&pod(), &patch, of) {
        Ok(patched) => Ok(shape(&patched)),
        Err(error) => Ok(kind(&error.to_status().message)),
    }
}

/// A server with the namespace `test`.
pub(super) fn server() -> Result<Client, String> {
    let server = ApiServer::builder(World::simulated(1)).build();
    let client = Client::new(server, User::system_admin());
    let namespace = json!({"metadata": {"name": "test"}});
    client.create(&api::NAMESPACES, "", namespace).map_err(|status| status.message)?;
    Ok(client)
}

fn apply_attempt(input: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(input);
    let Ok(documents) = apimachinery::yaml::load_documents(&text) else { return Ok(String::new()) };
    let Some(config) = documents.into_iter().next() else { return Ok(String::new()) };
    let client = server()?;
    client.create(&api::PODS, "test", pod()).map_err(|status| status.message)?;
    let user = User::system_admin();
    let apply = |manager: &str| {
        let mut call = apiserver::Call::new(&user, &api::PODS).within("test").named("p");
        call.options.field_manager = manager.to_owned();
        call.options.force = true;
        client.server().patch(&call, PatchKind::Apply, config.value.clone())
    };
    let first = match apply("one") {
        Ok(first) => first.object,
        // Upstream's words and code for what does not fit the schema.
        Err(status) if status.message.starts_with("failed to create typed patch object") => {
            return Ok(kind(&status.message));
        }
        Err(status) if status.message.starts_with("invalid object type") => {
            return Ok(kind(&status.message));
        }
        Err(status) => return refused(&status),
    };
    let again = apply("one").map_err(|status| format!("refused again: {}", status.message))?;
    check(first.value() == again.object.value(), || "applying twice changes something".to_owned())?;
    match apply("two") {
        Ok(two) => Ok(shape(&two.object.value())),
        Err(status) => refused(&status),
    }
}
