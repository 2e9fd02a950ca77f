//! What clients send and what they are told.

mod properties;

use apimachinery::{Value, json};

use super::{Error, Mode, from_slice, from_value, interpret, parse_json, refusal};
use crate::schema::{Type, type_of};

fn deployment() -> &'static Type {
    type_of("apps", "v1", "Deployment").unwrap()
}

fn pod() -> &'static Type {
    type_of("", "v1", "Pod").unwrap()
}

fn refused(of: &'static Type, body: &str) -> String {
    from_slice(of, body.as_bytes(), Mode::Strict).unwrap_err().to_string()
}

#[track_caller]
fn decoded(of: &'static Type, body: &Value) -> Value {
    let from_bytes = from_slice(of, body.to_string().as_bytes(), Mode::Strict).unwrap().value;
    assert_eq!(from_value(of, body.clone(), Mode::Strict).unwrap().value, from_bytes);
    assert_eq!(from_value(of, from_bytes.clone(), Mode::Strict).unwrap().value, from_bytes);
    from_bytes
}

#[test]
fn reports_unknown_and_duplicate_fields_in_document_order() {
    let body = r#"{"apiVersion":"apps/v1","kind":"Deployment","spec":{"unknown1":1,"unknownDupe":1,
        "unknownDupe":2,"paused":true,"paused":false,"template":{"metadata":{"labels":{"a":"1","a":"2"}},
        "spec":{"containers":[{"name":"a","unknownNested":"x","imagePullPolicy":"Always",
        "imagePullPolicy":"Never"}]}}}}"#;
    let expected = [
        r#"unknown field "spec.unknown1""#,
        r#"unknown field "spec.unknownDupe""#,
        r#"duplicate field "spec.paused""#,
        r#"duplicate field "spec.template.metadata.labels.a""#,
        r#"unknown field "spec.template.spec.containers[0].unknownNested""#,
        r#"duplicate field "spec.template.spec.containers[0].imagePullPolicy""#,
    ];
    let text = refused(deployment(), body);
    assert_eq!(text, format!("strict decoding error: {}", expected.join(", ")));
    let warned = from_slice(deployment(), body.as_bytes(), Mode::Warn).unwrap();
    assert_eq!(warned.warnings, expected);
    let silent = from_slice(deployment(), body.as_bytes(), Mode::Ignore).unwrap();
    assert!(silent.warnings.is_empty());
    let container = json!({"name": "a", "imagePullPolicy": "Never"});
    assert_eq!(silent.value["spec"]["template"]["spec"]["containers"][0], container);
    assert!(silent.value["spec"].get("unknown1").is_none());
}

type Kind = (&'static str, &'static str, &'static str);
const DEPLOYMENT: Kind = ("apps", "v1", "Deployment");
const POD: Kind = ("", "v1", "Pod");

/// Kind, body, what is wrong with it.
const WRONG: &[(Kind, &str, &str)] = &[
    (
        DEPLOYMENT,
        r#"{"spec":{"replicas":"3"}}"#,
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        DEPLOYMENT,
        r#"{"spec":{"replicas":1.5}}"#,
        "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        DEPLOYMENT,
        r#"{"spec":{"replicas":3000000000}}"#,
        "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ),
    (
        POD,
        r#"{"spec":{"containers":[{"env":[{"name":"A","value":1}]}]}}"#,
        "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
    ),
    (
        POD,
        r#"{"metadata":{"labels":{"a":true}}}"#,
        "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
    ),
    (
        POD,
        r#"{"spec":{"containers":{"name":"a"}}}"#,
        "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
    ),
    (
        POD,
        r#"{"spec":[]}"#,
        "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec",
    ),
    (
        POD,
        r#"{"spec":{"containers":[{"ports":[{"protocol":6}]}]}}"#,
        "json: cannot unmarshal number into Go struct field ContainerPort.spec.containers.ports.protocol of type v1.Protocol",
    ),
    (
        POD,
        r#"{"spec":{"containers":[{"securityContext":{"capabilities":{"add":"ALL"}}}]}}"#,
        "json: cannot unmarshal string into Go struct field Capabilities.spec.containers.securityContext.capabilities.add of type []v1.Capability",
    ),
    (POD, "[]", "json: cannot unmarshal array into Go value of type v1.Pod"),
    (
        POD,
        r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"lots"}}}]}}"#,
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
    (
        POD,
        r#"{"metadata":{"creationTimestamp":"yesterday"}}"#,
        r#"parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006""#,
    ),
    (
        POD,
        r#"{"metadata":{"creationTimestamp":"2018-13-01T00:00:00Z"}}"#,
        r#"parsing time "2018-13-01T00:00:00Z": month out of range"#,
    ),
    (("", "v1", "Secret"), r#"{"data":{"a":"no base64"}}"#, "illegal base64 data at input byte 2"),
    (("", "v1", "Secret"), r#"{"data":{"a":"YWJj="}}"#, "illegal base64 data at input byte 4"),
    (
        ("", "v1", "Service"),
        r#"{"spec":{"ports":[{"targetPort":true}]}}"#,
        "json: cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32",
    ),
];

#[test]
fn words_wrong_types_as_go_does() {
    for ((group, version, kind), body, text) in WRONG {
        assert_eq!(refused(type_of(group, version, kind).unwrap(), body), *text, "{body}");
    }
}

#[test]
fn the_first_error_wins_over_unknown_fields() {
    let text = refused(deployment(), r#"{"foo":1,"spec":{"paused":1,"replicas":"x"}}"#);
    assert!(text.ends_with("DeploymentSpec.spec.paused of type bool"), "{text}");
}

#[test]
fn drops_what_go_would_not_write() {
    let value = decoded(
        pod(),
        &json!({"metadata": {"name": "a", "creationTimestamp": null, "labels": {}, "generation": 0},
            "spec": {"nodeName": "", "hostNetwork": false, "terminationGracePeriodSeconds": 0,
                "volumes": [{"name": "v", "emptyDir": {}}], "containers": [],
                "securityContext": {"runAsUser": 0, "supplementalGroups": []}}}),
    );
    assert_eq!(
        value,
        json!({"metadata": {"name": "a"},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [],
                "volumes": [{"name": "v", "emptyDir": {}}], "securityContext": {"runAsUser": 0}}})
    );
}

#[test]
fn canonicalises_quantities_times_and_bytes() {
    let value = decoded(
        pod(),
        &json!({"metadata": {"creationTimestamp": "2018-10-11T14:00:00.5+02:00"},
            "spec": {"containers": [{"resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}},
                "livenessProbe": {"httpGet": {"port": "web"}}}]}}),
    );
    assert_eq!(value["metadata"]["creationTimestamp"], "2018-10-11T12:00:00Z");
    let limits = json!({"cpu": "500m", "memory": "1Gi"});
    assert_eq!(value["spec"]["containers"][0]["resources"]["limits"], limits);
    let secret = type_of("", "v1", "Secret").unwrap();
    assert_eq!(decoded(secret, &json!({"data": {"a": "YWJj\nZA=="}}))["data"]["a"], "YWJjZA==");
}

#[test]
fn null_elements_become_zero_values() {
    let value = decoded(
        pod(),
        &json!({"metadata": {"labels": {"a": null}}, "spec": {"containers": [null]}}),
    );
    assert_eq!(value, json!({"metadata": {"labels": {"a": ""}}, "spec": {"containers": [{}]}}));
}

#[test]
fn patched_documents_may_hold_integral_floats() {
    let document = json!({"spec": {"replicas": 3.0}});
    let value = from_value(deployment(), document, Mode::Strict).unwrap().value;
    assert_eq!(value, json!({"spec": {"replicas": 3}}));
}

#[test]
fn keeps_documents_of_unknown_type_inside_openshift_templates() {
    let template = type_of("template.openshift.io", "v1", "Template").unwrap();
    let body =
        json!({"objects": [{"kind": "Pod", "apiVersion": "v1", "anything": {"goes": null}}]});
    assert_eq!(decoded(template, &body), body);
}

#[test]
fn words_malformed_json_as_go_does() {
    let cases = [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ("{a}", "invalid character 'a' looking for beginning of object key string"),
        (r#"{"a" 1}"#, "invalid character '1' after object key"),
        (r#"{"a":}"#, "invalid character '}' looking for beginning of value"),
        (r#"{"a":1 2}"#, "invalid character '2' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("{} x", "invalid character 'x' after top-level value"),
        (r#"{"a":1,}"#, "invalid character '}' looking for beginning of object key string"),
        (r#"{"a":"\x"}"#, "invalid character 'x' in string escape code"),
        ("apiVersion: v1", "invalid character 'a' looking for beginning of value"),
    ];
    for (body, text) in cases {
        let error = interpret(body.as_bytes()).unwrap_err();
        assert_eq!(error, Error::Syntax(text.to_owned()), "{body}");
        assert_eq!(parse_json(body.as_bytes()).unwrap_err(), error, "{body}");
        let typed = from_slice(pod(), body.as_bytes(), Mode::Strict);
        if !body.starts_with('[') {
            assert_eq!(typed.unwrap_err(), error, "{body}");
        }
    }
    let deep = "[".repeat(20_000);
    assert_eq!(
        parse_json(deep.as_bytes()).unwrap_err(),
        Error::Syntax("exceeded max depth".into())
    );
}

#[test]
fn reads_version_and_kind() {
    let body = br#"{"kind":"Pod","spec":{"x":[1,{}]},"apiVersion":"v1"}"#;
    assert_eq!(interpret(body).unwrap(), ("v1".to_owned(), "Pod".to_owned()));
    let text = interpret(br#"{"kind":1}"#).unwrap_err().to_string();
    assert_eq!(
        text,
        "couldn't get version/kind; json parse error: \
         json: cannot unmarshal number into Go struct field .kind of type string"
    );
}

#[test]
fn replaces_invalid_utf8() {
    let body = b"{\"metadata\":{\"name\":\"a\xff\"}}";
    let value = from_slice(pod(), body, Mode::Strict).unwrap().value;
    assert_eq!(value["metadata"]["name"], "a\u{fffd}");
}

#[test]
fn refusals_name_what_was_found_and_wanted() {
    let error = from_slice(deployment(), br#"{"spec":{"foo":1}}"#, Mode::Strict).unwrap_err();
    assert_eq!(
        refusal(&error, Some(("Deployment", "v1")), "Deployment", b"").to_string(),
        "Deployment in version \"v1\" cannot be handled as a Deployment: \
         strict decoding error: unknown field \"spec.foo\""
    );
    let error = interpret(b"").unwrap_err();
    assert_eq!(
        refusal(&error, None, "Pod", b"").to_string(),
        "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; \
         json parse error: unexpected end of JSON input (<empty>)"
    );
}
