//! Recorded answers of a master of OpenShift 3.11, and what the decoder says of other types.

use super::complaint;
use crate::schema::type_of;

#[track_caller]
fn check((group, version, kind): (&str, &str, &str), body: &str, text: &str) {
    let got = complaint(type_of(group, version, kind).unwrap(), body.as_bytes());
    assert_eq!(got.as_deref(), Some(text));
}

const POD: (&str, &str, &str) = ("", "v1", "Pod");
const CONFIG_MAP: (&str, &str, &str) = ("", "v1", "ConfigMap");
const DC: (&str, &str, &str) = ("apps.openshift.io", "v1", "DeploymentConfig");

#[test]
fn the_first_mistake_is_shown_with_its_surroundings() {
    check(
        CONFIG_MAP,
        r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad"}, "data": {"foo": true}}"#,
        r#"v1.ConfigMap.Data: ReadString: expects " or n, but found t, error found in #10 byte of ...| {"foo": true}}|..., bigger context ...|p", "metadata": {"name": "bad"}, "data": {"foo": true}}|..."#,
    );
    check(
        POD,
        r#"{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {"containers": "x"}}"#,
        r#"v1.Pod.Spec: v1.PodSpec.Containers: []v1.Container: decode slice: expect [ or n, but found ", error found in #10 byte of ...|ainers": "x"}}|..., bigger context ...|metadata": {"name": "p"}, "spec": {"containers": "x"}}|..."#,
    );
}

#[test]
fn members_after_the_mistake_put_their_names_before_it() {
    check(
        ("", "v1", "Secret"),
        r#"{"apiVersion": "v1", "data": {"dhparam.pem": "...base64 encoded data..."}, "kind": "Secret", "type": "Opaque", "metadata": {"name": "lb-dhparam", "namespace": "ingress-nginx"}}"#,
        r#"v1.Secret.ObjectMeta: v1.ObjectMeta.Type: TypeMeta: Kind: Data: decode base64: illegal base64 data at input byte 0, error found in #10 byte of ...|d data..."}, "kind":|..., bigger context ...|data": {"dhparam.pem": "...base64 encoded data..."}, "kind": "Secret", "type": "Opaque", "metadata":|..."#,
    );
    check(
        DC,
        r#"{"spec":{"replicas":"x","revisionHistoryLimit":10,"selector":{"app":"hello"}}}"#,
        r#"v1.DeploymentConfig.Spec: v1.DeploymentConfigSpec.RevisionHistoryLimit: Replicas: read int32: unexpected character: ", error found in #10 byte of ...|licas":"x","revision|..., bigger context ...|{"spec":{"replicas":"x","revisionHistoryLimit":10,"selector":{"app":"hell|..."#,
    );
}

#[test]
fn types_that_read_themselves_say_what_they_miss() {
    check(
        POD,
        r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"val"}}}]}}"#,
        r#"v1.Pod.Spec: v1.PodSpec.Containers: []v1.Container: v1.Container.Resources: v1.ResourceRequirements.Limits: unmarshalerDecoder: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$', error found in #10 byte of ...|cpu":"val"}}}]}}|..., bigger context ...|{"containers":[{"resources":{"limits":{"cpu":"val"}}}]}}|..."#,
    );
    check(
        POD,
        r#"{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":true}}}]}}"#,
        r#"v1.Pod.Spec: v1.PodSpec.Containers: []v1.Container: v1.Container.LivenessProbe: v1.Probe.Handler: HTTPGet: v1.HTTPGetAction.Port: unmarshalerDecoder: json: cannot unmarshal bool into Go value of type int32, error found in #10 byte of ...|port":true}}}]}}|..., bigger context ...|tainers":[{"livenessProbe":{"httpGet":{"port":true}}}]}}|..."#,
    );
}

#[test]
fn numbers_have_their_own_words() {
    check(
        POD,
        r#"{"spec":{"hostNetwork":1}}"#,
        r#"v1.Pod.Spec: v1.PodSpec.HostNetwork: ReadBool: expect t or f, but found 1, error found in #10 byte of ...|Network":1}}|..., bigger context ...|{"spec":{"hostNetwork":1}}|..."#,
    );
    check(
        DC,
        r#"{"spec":{"replicas":1.5}}"#,
        r#"v1.DeploymentConfig.Spec: v1.DeploymentConfigSpec.Replicas: assertInteger: can not decode float as int, error found in #10 byte of ...|eplicas":1.5}}|..., bigger context ...|{"spec":{"replicas":1.5}}|..."#,
    );
    check(
        DC,
        r#"{"spec":{"replicas":3000000000}}"#,
        r#"v1.DeploymentConfig.Spec: v1.DeploymentConfigSpec.Replicas: ReadInt32: overflow: 3000000000, error found in #10 byte of ...|3000000000}}|..., bigger context ...|{"spec":{"replicas":3000000000}}|..."#,
    );
}

#[test]
fn a_sound_body_is_not_complained_about() {
    let body = br#"{"kind":"Pod","spec":{"unknown":[1,{"a":"]"}],"containers":[{"name":"a","ports":[{"containerPort":8080}],"tty":true}],"terminationGracePeriodSeconds":-1}}"#;
    assert_eq!(complaint(type_of("", "v1", "Pod").unwrap(), body), None);
}
