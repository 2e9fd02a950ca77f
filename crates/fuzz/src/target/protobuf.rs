//! Protobuf bodies.
//!
//! Holds: a document that was read is one that the JSON decoder takes as it is.

use api::decode::{self, Mode};
use api::schema::type_of;
use apimachinery::Gvk;

use super::{Target, check, kind, shape};

pub(super) const TARGET: Target = Target {
    name: "protobuf",
    samples,
    words: &[
        "\n",
        "\u{12}",
        "\u{1a}",
        "k8s\0",
        "v1",
        "Pod",
        "Deployment",
        "apps/v1",
        "\u{8}",
        "100m",
    ],
    max: 60_000,
    attempt,
};

/// A message field with bytes in it.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("samples are short");
    let mut field = vec![number << 3 | 2];
    // Two bytes of length where one has no room.
    if length < 0x80 {
        field.push(length);
    } else {
        field.extend([length & 0x7f | 0x80, 1]);
    }
    field.extend_from_slice(bytes);
    field
}

fn message(fields: &[Vec<u8>]) -> Vec<u8> {
    fields.concat()
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let names = message(&[field(1, api_version.as_bytes()), field(2, kind.as_bytes())]);
    let mut bytes = b"k8s\0".to_vec();
    bytes.extend(message(&[field(1, &names), field(2, raw), field(3, b""), field(4, b"")]));
    bytes
}

fn samples() -> Vec<Vec<u8>> {
    let meta = message(&[
        field(1, b"hello"),
        field(3, b"test"),
        field(11, &message(&[field(1, b"app"), field(2, b"web")])),
    ]);
    let quantity = message(&[field(1, b"cpu"), field(2, &field(1, b"100m"))]);
    let resources = field(1, &quantity);
    let container =
        message(&[field(1, b"c"), field(2, b"hello:v1"), field(3, b"sh"), field(8, &resources)]);
    let spec = field(2, &container);
    let pod = message(&[field(1, &meta), field(2, &spec)]);
    let config = message(&[
        field(1, &meta),
        field(2, &message(&[field(1, b"key"), field(2, b"value")])),
        field(3, &message(&[field(1, b"bin"), field(2, &[0, 255])])),
    ]);
    let template = message(&[field(1, &meta), field(2, &spec)]);
    let mut replicas = vec![1 << 3, 3];
    replicas.extend(field(3, &template));
    let deployment = message(&[field(1, &meta), field(2, &replicas)]);
    let options =
        vec![1 << 3, 5, 4 << 3 | 2, 10, b'F', b'o', b'r', b'e', b'g', b'r', b'o', b'u', b'n', b'd'];
    vec![
        envelope("v1", "Pod", &pod),
        envelope("v1", "ConfigMap", &config),
        envelope("apps/v1", "Deployment", &deployment),
        envelope("v1", "DeleteOptions", &options),
    ]
}

fn attempt(input: &[u8]) -> Result<String, String> {
    let named = match decode::from_protobuf(input) {
        Ok(named) => named,
        Err(error) => return Ok(kind(&error.to_string())),
    };
    let value = named.decoded.value;
    let gvk = Gvk::from_api_version(&named.api_version, &named.kind);
    if let Some(of) = type_of(&gvk.group, &gvk.version, &gvk.kind) {
        let again = decode::from_value(of, value.clone(), Mode::Strict).map_err(|error| {
            format!("JSON refuses what protobuf gave: {}", kind(&error.to_string()))
        })?;
        check(again.value == value, || "JSON reads it differently".to_owned())?;
    }
    Ok(shape(&value))
}
