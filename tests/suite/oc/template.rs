//! `oc process`, `oc new-app --template`.

use apimachinery::{Value, json};

use super::{path, shop};

fn template(parameters: &Value) -> Value {
    json!({
        "kind": "Template", "apiVersion": "template.openshift.io/v1",
        "metadata": {"name": "pair"}, "labels": {"template": "pair"},
        "message": "user ${USER_NAME}",
        "parameters": parameters,
        "objects": [{"kind": "Secret", "apiVersion": "v1",
            "metadata": {"name": "${USER_NAME}-login", "labels": {"own": "1"}},
            "stringData": {"user": "${USER_NAME}", "password": "${PASSWORD}"}}],
    })
}

#[test]
fn templates_are_stored_and_processed() {
    let (_cluster, _, alice) = shop();
    let parameters = json!([
        {"name": "USER_NAME", "value": "admin", "required": true},
        {"name": "PASSWORD", "generate": "expression", "from": "[a-z0-9]{12}"}]);
    alice.post(&path("template", "templates"), &template(&parameters)).ok();
    let mut stored = alice.get(&path("template", "templates/pair")).ok();
    stored["parameters"][0]["value"] = json!("zoe");
    let processed = alice.post(&path("template", "processedtemplates"), &stored).ok();
    assert_eq!(processed["kind"], "Template");
    assert_eq!(processed["message"], "user zoe");
    let secret = &processed["objects"][0];
    assert_eq!(secret["metadata"]["name"], "zoe-login");
    assert_eq!(secret["metadata"]["labels"], json!({"own": "1", "template": "pair"}));
    assert_eq!(secret["stringData"]["password"].as_str().unwrap().len(), 12);
    alice.post(&path("", "secrets"), secret).ok();
    // A value that is needed and missing.
    let parameters = json!([{"name": "USER_NAME", "required": true}, {"name": "PASSWORD"}]);
    let refused = alice.post(&path("template", "processedtemplates"), &template(&parameters));
    assert_eq!(
        refused.refusal(),
        "422 Template.template.openshift.io \"pair\" is invalid: template.parameters[0]: Required value: template.parameters[0]: parameter USER_NAME is required and must be specified"
    );
}
