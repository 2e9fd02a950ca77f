//! Schemas of custom resources: the input is a definition's version, an object is created and listed
//! with it.
//!
//! Holds: nothing is answered with 500.

use apimachinery::{Value, json};
use apiserver::{Call, User};

use super::patch::server;
use super::{Target, refused, samples, shape};

pub(super) const TARGET: Target = Target {
    name: "custom-resource",
    samples: || samples(SAMPLES),
    words: &[
        "\"type\":",
        "\"object\"",
        "\"array\"",
        "\"items\":",
        "\"properties\":",
        "\"pattern\":",
        "\"default\":",
        "\"enum\":",
        "\"allOf\":",
        "\"not\":",
        "\"x-kubernetes-list-type\":",
        "\"map\"",
        "\"x-kubernetes-int-or-string\":true",
        "\"x-kubernetes-validations\":[{\"rule\":\"self.all(a, a == oldSelf)\"}]",
        "self.ports.map(p, p.port + 1)",
        "\"x-kubernetes-preserve-unknown-fields\":true",
        "\"additionalProperties\":",
        "\"nullable\":true",
        "(a+)+$",
        "\"format\":\"date-time\"",
    ],
    max: 40_000,
    attempt,
};

const SAMPLES: &[&str] = &[
    r#"{"name":"v1","served":true,"storage":true,"subresources":{"status":{},"scale":{"specReplicasPath":".spec.replicas","statusReplicasPath":".status.replicas"}},"additionalPrinterColumns":[{"name":"R","type":"integer","jsonPath":".spec.replicas"}],"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{"cron":{"type":"string","pattern":"^[0-9*]+$","maxLength":9},"replicas":{"type":"integer","minimum":1,"default":2},"mode":{"type":"string","enum":["a","b"]},"ports":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["port"],"items":{"type":"object","required":["port"],"properties":{"port":{"type":"integer"}}}},"free":{"type":"object","x-kubernetes-preserve-unknown-fields":true},"map":{"type":"object","additionalProperties":{"type":"number"}},"both":{"x-kubernetes-int-or-string":true}}}}}}}"#,
    r#"{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","x-kubernetes-validations":[{"rule":"has(self.mode) && self.mode.size() < 3 || self.cron.matches('^[0-9]+$')","messageExpression":"'is ' + self.mode"}],"oneOf":[{"required":["cron"]},{"required":["mode"]}],"properties":{"cron":{"type":"string","nullable":true,"not":{"pattern":"x"}},"mode":{"anyOf":[{"minLength":1}],"type":"string","format":"date-time"},"replicas":{"type":"number","multipleOf":0.5,"exclusiveMaximum":true,"maximum":10}}}}}}}"#,
];

fn definition(version: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "kind": "CronTab"},
            "versions": [version],
        },
    })
}

fn attempt(input: &[u8]) -> Result<String, String> {
    let Ok(mut version) = serde_json::from_slice::<Value>(input) else { return Ok(String::new()) };
    // Every version that is served stays known to the process.
    if let Some(name) = version.get_mut("name") {
        *name = json!("v1");
    }
    let client = server()?;
    let created = client.create(&api::CUSTOM_RESOURCE_DEFINITIONS, "", definition(&version));
    if let Err(status) = created {
        return refused(&status);
    }
    let server = client.server();
    let Some(resource) = server.find("stable.example.com", "v1", "crontabs") else {
        return Ok("not served".to_owned());
    };
    let object = json!({
        "apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "t"},
        "spec": {
            "cron": "* * *", "replicas": 3, "mode": "a", "ports": [{"port": 1}, {"port": 1}],
            "free": {"a": [1, {}]}, "map": {"x": 1.5}, "both": "25%",
        },
        "status": {"replicas": 3},
    });
    let user = User::system_admin();
    let call = Call::new(&user, resource).within("test");
    let answered = match server.create(&call, object.clone()) {
        Ok(written) => shape(&written.object.value()),
        Err(status) => refused(&status)?,
    };
    let named = call.named("t").subresource("scale");
    if let Err(status) = server.get(&named) {
        refused(&status)?;
    }
    Ok(answered)
}
