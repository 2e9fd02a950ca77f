//! Service accounts, their secrets and their tokens.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use admission::{Options, token_user};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cluster::{Cluster, NS, names, pod};

fn token(secret: &Value) -> String {
    let bytes = STANDARD.decode(secret.str_at(&["data", "token"])).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_namespace_gets_three_accounts_with_their_secrets() {
    let mut cluster = Cluster::new(1);
    cluster.settle();
    assert_eq!(names(&cluster.list(&api::SERVICE_ACCOUNTS)), ["builder", "default", "deployer"]);
    let secrets = cluster.list(&api::SECRETS);
    assert_eq!(secrets.len(), 9);
    let account = cluster.get(&api::SERVICE_ACCOUNTS, "default");
    let named = |field: &str| -> Vec<String> {
        let list = account.list_at(&[field]).iter();
        list.map(|entry| entry.str_at(&["name"]).to_owned()).collect()
    };
    let (mountable, pull) = (named("secrets"), named("imagePullSecrets"));
    assert!(mountable[0].starts_with("default-token-") && mountable[1] == pull[0]);
    let dockercfg = cluster.get(&api::SECRETS, &pull[0]);
    assert_eq!(dockercfg.str_at(&["type"]), "kubernetes.io/dockercfg");
    let of = dockercfg.annotation("openshift.io/token-secret.name").unwrap();
    assert_ne!(of, mountable[0]);
    let login = cluster.get(&api::SECRETS, of);
    assert_eq!(dockercfg.annotation("openshift.io/token-secret.value"), Some(&*token(&login)));
    let user = token_user(&cluster.server, &token(&login)).unwrap();
    assert_eq!(user.name, "system:serviceaccount:dev:default");
    assert_eq!(user.groups[1], "system:serviceaccounts:dev");
    // Nothing is left to do.
    let revision = cluster.server.store().revision();
    cluster.run(600);
    assert_eq!(cluster.server.store().revision(), revision);
}

#[test]
fn a_pod_may_follow_its_namespace_at_once() {
    let mut cluster = Cluster::new(2);
    let pod = cluster.create(&api::PODS, pod("early", &json!({})));
    let volume = pod.list_at(&["spec", "volumes"])[0].str_at(&["name"]).to_owned();
    assert!(volume.starts_with("default-token-"));
    assert_eq!(pod["spec"]["containers"][0]["volumeMounts"][0]["name"], volume.as_str());
    assert_eq!(pod.list_at(&["spec", "imagePullSecrets"]).len(), 1);
    cluster.settle();
    assert_eq!(cluster.list(&api::SECRETS).len(), 9);
    let unknown = json!({"metadata": {"name": "x"}, "spec": {"serviceAccountName": "robot",
        "containers": [{"name": "c", "image": "i"}]}});
    assert_eq!(
        cluster.refused(&api::PODS, unknown),
        "pods \"x\" is forbidden: error looking up service account dev/robot: serviceaccount \"robot\" not found"
    );
}

#[test]
fn accounts_can_be_made_on_demand() {
    let options = Options { on_demand_namespaces: vec![NS.to_owned()], ..Options::default() };
    let mut cluster = Cluster::with(8, &options);
    cluster.settle();
    assert!(cluster.list(&api::SERVICE_ACCOUNTS).is_empty());
    cluster.create(&api::PODS, pod("a", &json!({})));
    cluster.settle();
    assert_eq!(names(&cluster.list(&api::SERVICE_ACCOUNTS)), ["default"]);
}

#[test]
fn a_deleted_token_is_worthless_and_replaced() {
    let mut cluster = Cluster::new(3);
    cluster.settle();
    let first = cluster.get(&api::SERVICE_ACCOUNTS, "builder")["secrets"][0]["name"].clone();
    let secret = cluster.get(&api::SECRETS, first.as_str().unwrap());
    let text = token(&secret);
    assert!(token_user(&cluster.server, &text).is_some());
    assert!(token_user(&cluster.server, &text[..text.len() - 2]).is_none());
    cluster.delete(&api::SECRETS, secret.name());
    assert!(token_user(&cluster.server, &text).is_none());
    cluster.settle();
    let account = cluster.get(&api::SERVICE_ACCOUNTS, "builder");
    let named = account.list_at(&["secrets"]);
    assert_eq!(named.len(), 2);
    assert!(!named.contains(&json!({"name": first})));
}

#[test]
fn accounts_come_back_and_leave_nothing_behind() {
    let mut cluster = Cluster::new(4);
    cluster.settle();
    let before = cluster.get(&api::SERVICE_ACCOUNTS, "default");
    cluster.delete(&api::SERVICE_ACCOUNTS, "default");
    cluster.settle();
    let after = cluster.get(&api::SERVICE_ACCOUNTS, "default");
    assert_ne!(before.uid(), after.uid());
    let uid = "kubernetes.io/service-account.uid";
    let secrets = cluster.list(&api::SECRETS);
    assert_eq!(secrets.len(), 9);
    assert!(!secrets.iter().any(|secret| secret.annotation(uid) == Some(before.uid())));
    cluster.delete(&api::NAMESPACES, NS);
    cluster.run(60);
    assert!(cluster.client.get(&api::NAMESPACES, "", NS).unwrap_err().is_not_found());
}

#[test]
fn tokens_can_be_requested() {
    let mut cluster = Cluster::new(5);
    cluster.settle();
    let ask = |seconds: i64| {
        let body = json!({"spec": {"expirationSeconds": seconds, "audiences": ["x"]}});
        cluster.client.subresource_create(&api::SERVICE_ACCOUNTS, NS, "default", "token", body)
    };
    let answer = ask(700).unwrap();
    let text = answer.str_at(&["status", "token"]).to_owned();
    let user = token_user(&cluster.server, &text).unwrap();
    assert_eq!(user.name, "system:serviceaccount:dev:default");
    assert!(
        ask(1).unwrap_err().message.contains("may not specify a duration less than 10 minutes")
    );
    cluster.run(701);
    assert!(token_user(&cluster.server, &text).is_none());
}

#[test]
fn the_same_seed_gives_the_same_secrets() {
    let run = || {
        let mut cluster = Cluster::new(6);
        cluster.settle();
        let secrets = cluster.client.list(&api::SECRETS, "").unwrap();
        secrets.iter().map(|secret| secret.to_string()).collect::<String>()
    };
    assert_eq!(run(), run());
}

#[test]
fn deployers_run_as_their_account() {
    let mut cluster = Cluster::new(7);
    let template = json!({"metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "c", "image": "hello:v1"}]}});
    let config = json!({"metadata": {"name": "a"}, "spec": {"replicas": 1,
        "selector": {"app": "a"}, "template": template, "triggers": [{"type": "ConfigChange"}]}});
    cluster.create(&api::DEPLOYMENT_CONFIGS, config);
    cluster.run(5);
    let deployer = cluster.get(&api::PODS, "a-1-deploy");
    assert_eq!(deployer.str_at(&["spec", "serviceAccountName"]), "deployer");
    assert_eq!(deployer.annotation("openshift.io/scc"), Some("restricted"));
    let volume = deployer.list_at(&["spec", "volumes"])[0].str_at(&["name"]);
    assert!(volume.starts_with("deployer-token-"));
}

#[test]
fn whatever_the_order_of_controllers_the_outcome_is_the_same() {
    for seed in 100..130 {
        let mut cluster = Cluster::new(seed);
        // Half of the time a pod's admission is faster than the controllers.
        if seed % 2 == 0 {
            cluster.create(&api::PODS, pod("early", &json!({})));
        }
        cluster.run(60);
        let secrets = cluster.client.list(&api::SECRETS, "").unwrap();
        let accounts = cluster.client.list(&api::SERVICE_ACCOUNTS, "").unwrap();
        // Seven namespaces, and the key that signs tokens.
        assert_eq!((accounts.len(), secrets.len()), (21, 64), "seed {seed}");
        for account in accounts {
            assert_eq!(account.list_at(&["secrets"]).len(), 2, "seed {seed}");
            assert_eq!(account.list_at(&["imagePullSecrets"]).len(), 1, "seed {seed}");
        }
        let revision = cluster.server.store().revision();
        cluster.run(600);
        assert_eq!(cluster.server.store().revision(), revision, "seed {seed}");
    }
}
