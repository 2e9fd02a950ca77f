//! Bodies as gogo protobuf writes them.

use apimachinery::json;
use proptest::prelude::{Strategy as _, any, proptest};

use super::from_protobuf;

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number > 0x7f {
        out.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap());
    out
}

/// A length-delimited field.
fn b(tag: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [varint(tag << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

/// A varint field.
fn v(tag: u64, number: i64) -> Vec<u8> {
    [varint(tag << 3), varint(number.cast_unsigned())].concat()
}

fn body(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let meta = [b(1, api_version), b(2, kind)].concat();
    [b"k8s\0".to_vec(), b(1, meta), b(2, message), b(3, ""), b(4, "")].concat()
}

#[test]
fn reads_a_deployment_as_kubectl_creates_it() {
    let metadata = [
        b(1, "web"),
        b(2, ""),
        b(3, ""),
        v(7, 0),
        b(8, ""),
        b(11, [b(1, "app"), b(2, "web")].concat()),
    ]
    .concat();
    let port = [b(1, ""), v(2, 0), v(3, 8080), b(4, ""), b(5, "")].concat();
    let probe_port = [v(1, 1), v(2, 0), b(3, "web")].concat();
    let handler = b(2, [b(1, "/"), b(2, probe_port), b(3, ""), b(4, "")].concat());
    let probe = [b(1, handler), v(2, 0), v(3, 0), v(4, 5), v(5, 0), v(6, 0)].concat();
    let limit = b(1, [b(1, "cpu"), b(2, b(1, "0.5"))].concat());
    let container = [
        b(1, "web"),
        b(2, "web:1"),
        b(5, ""),
        b(6, port),
        b(8, limit),
        b(11, probe),
        b(13, ""),
        v(16, 0),
    ]
    .concat();
    let volume = [b(1, "data"), b(2, b(2, b(1, "")))].concat();
    let pod = [b(1, volume), b(2, container), b(3, ""), v(4, 0), v(11, 0), b(14, v(2, 0))].concat();
    let template = [b(1, b(1, "")), b(2, pod)].concat();
    let selector = b(1, [b(1, "app"), b(2, "web")].concat());
    let spec = [v(1, 0), b(2, selector), b(3, template), b(4, b(1, "")), v(5, 0), v(7, 0)].concat();
    let status = [v(1, 0), v(2, 0)].concat();
    let message = [b(1, metadata), b(2, spec), b(3, status)].concat();
    let named = from_protobuf(&body("apps/v1", "Deployment", &message)).unwrap();
    assert_eq!((named.api_version.as_str(), named.kind.as_str()), ("apps/v1", "Deployment"));
    assert_eq!(
        named.decoded.value,
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"app": "web"}},
            "spec": {
                "replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "strategy": {},
                "template": {"metadata": {}, "spec": {
                    "terminationGracePeriodSeconds": 0, "securityContext": {"runAsUser": 0},
                    "volumes": [{"name": "data", "emptyDir": {}}],
                    "containers": [{"name": "web", "image": "web:1",
                        "ports": [{"containerPort": 8080}],
                        "resources": {"limits": {"cpu": "500m"}},
                        "readinessProbe": {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 5}}]}},
            },
            "status": {},
        })
    );
}

/// The body of `kubectl create deployment web --image=nginx:1 --replicas=0 --port=80`, version 1.32.
const FROM_KUBECTL: &str = "6b3873000a150a07617070732f7631120a4465706c6f796d656e7412ba010a1f0a0377656212001a0022002a00\
    3200380042005a0a0a0361707012037765621288010800120c0a0a0a0361707012037765621a6e0a1c0a001200\
    1a0022002a003200380042005a0a0a036170701203776562124e12300a056e67696e7812076e67696e783a312a\
    00320a0a001000185022002a0042006a007200800100880100900100a201001a00320042004a00520058006000\
    68008201008a01009a0100c2010022020a00280038001a0c0800100018002000280038001a002200";

#[test]
fn reads_what_kubectl_sends() {
    let digits: Vec<char> = FROM_KUBECTL.chars().collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect();
    assert_eq!(
        from_protobuf(&bytes).unwrap().decoded.value,
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"labels": {"app": "web"}, "name": "web"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "strategy": {},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                    {"image": "nginx:1", "name": "nginx", "ports": [{"containerPort": 80}],
                        "resources": {}}]}}},
            "status": {}})
    );
}

#[test]
fn reads_single_values_that_are_messages() {
    let metadata = [b(1, "s"), b(8, v(1, 1_539_259_200))].concat();
    let entry = [b(1, "key"), b(2, [0_u8, 255])].concat();
    let named = from_protobuf(&body(
        "v1",
        "Secret",
        &[b(1, metadata), b(2, entry), b(3, "Opaque")].concat(),
    ));
    assert_eq!(
        named.unwrap().decoded.value,
        json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"key": "AP8="},
            "metadata": {"name": "s", "creationTimestamp": "2018-10-11T12:00:00Z"}})
    );
    let options = [v(1, 30), b(4, "Background"), b(2, b(1, "uid-1"))].concat();
    let named = from_protobuf(&body("policy/v1", "DeleteOptions", &options)).unwrap();
    assert_eq!(
        named.decoded.value,
        json!({"apiVersion": "policy/v1", "kind": "DeleteOptions", "gracePeriodSeconds": 30,
            "propagationPolicy": "Background", "preconditions": {"uid": "uid-1"}})
    );
}

#[test]
fn reads_negative_numbers_and_lists_in_maps() {
    let pod = b(2, b(22, [b(1, ""), v(5, -1)].concat()));
    let named = from_protobuf(&body("v1", "Pod", &pod)).unwrap();
    assert_eq!(named.decoded.value["spec"]["tolerations"][0], json!({"tolerationSeconds": -1}));
    let extra = b(5, [b(1, "scopes"), b(2, [b(1, "a"), b(1, "b")].concat())].concat());
    let review = b(2, [b(3, "user"), extra].concat());
    let named = from_protobuf(&body("authorization.k8s.io/v1", "SubjectAccessReview", &review));
    assert_eq!(
        named.unwrap().decoded.value["spec"],
        json!({"user": "user", "extra": {"scopes": ["a", "b"]}})
    );
}

#[test]
fn refuses_what_it_cannot_read() {
    let text = |body: &[u8]| from_protobuf(body).unwrap_err().to_string();
    assert_eq!(
        text(b"{}"),
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    );
    assert_eq!(
        text(&body("v1", "Nothing", &[])),
        r#"no kind "Nothing" is registered for version "v1" in scheme"#
    );
    assert_eq!(text(&body("v1", "Pod", &[0x0a, 0x05])), "unexpected EOF");
    assert_eq!(text(&body("v1", "Pod", &[0x0f])), "proto: illegal wireType 7");
    // spec.versions[0].schema.openAPIV3Schema.not.not…
    let schema = (0..2_000).fold(Vec::new(), |inner, _| b(28, inner));
    let deep = b(2, b(7, b(4, b(1, schema))));
    let crd = body("apiextensions.k8s.io/v1", "CustomResourceDefinition", &deep);
    assert_eq!(text(&crd), "exceeded max depth");
}

proptest! {
    #[test]
    fn never_panics(index in any::<usize>(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let resources = crate::resources();
        let resource = resources[index % resources.len()];
        drop(from_protobuf(&body(&resource.api_version(), resource.kind, &bytes)));
        drop(from_protobuf(&bytes));
    }

    #[test]
    fn never_panics_on_plausible_messages(
        index in any::<usize>(),
        fields in proptest::collection::vec(
            (1_u64..40, proptest::collection::vec(any::<u8>(), 0..40)).prop_map(|(tag, bytes)| b(tag, b(1, bytes))),
            0..8,
        ),
    ) {
        let resources = crate::resources();
        let resource = resources[index % resources.len()];
        drop(from_protobuf(&body(&resource.api_version(), resource.kind, &fields.concat())));
    }
}
