//! Tokens of service accounts: made by `create token`, good for what the account may do, and known.

use apimachinery::Value;
use cluster::Access;

use crate::harness::kubectl::{Kubectl, words};
use crate::harness::served::Served;

fn check(version: &str) {
    let cluster = Served::with(|config| config.access = Access::Policy);
    let Some(kubectl) = Kubectl::find(version, &cluster.kubeconfig()) else { return };
    kubectl.ok("create serviceaccount robot");
    kubectl.ok("create rolebinding robot --clusterrole=view --serviceaccount=default:robot");
    let token = kubectl.ok("create token robot --duration=20m");
    let token = token.trim();
    // A client certificate would go before the token.
    let kubeconfig = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
    let line = |name: &str| {
        kubeconfig.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "))
    };
    let server = line("server").unwrap();
    let bare = format!(
        "--kubeconfig=/dev/null --server={server} --insecure-skip-tls-verify --token={token}"
    );
    let as_robot = |command: &str| kubectl.run(&words(&format!("{bare} {command}")));
    let who = as_robot("auth whoami -o jsonpath={.status.userInfo.username}");
    assert_eq!(who.stdout, "system:serviceaccount:default:robot", "{}", who.stderr);
    assert_eq!(as_robot("get pods").code, 0);
    let refused = as_robot("delete pod x");
    assert!(
        refused.stderr.contains("User \"system:serviceaccount:default:robot\" cannot delete"),
        "{}",
        refused.stderr
    );

    let review = cluster.kubeconfig().with_file_name("review.json");
    let body = format!(
        r#"{{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {{"token": "{token}"}}}}"#
    );
    std::fs::write(&review, body).unwrap();
    let answer = kubectl.ok(&format!("create -f {} -o json", review.display()));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["status"]["authenticated"], true, "{answer}");
    assert_eq!(answer["status"]["user"]["username"], "system:serviceaccount:default:robot");

    // The account's end is the token's.
    kubectl.ok("delete serviceaccount robot");
    assert!(as_robot("get pods").stderr.contains("Unauthorized"));
}

#[test]
fn kubectl_1_28_makes_tokens() {
    check("1.28");
}

#[test]
fn kubectl_1_32_makes_tokens() {
    check("1.32");
}

#[test]
fn kubectl_1_33_makes_tokens() {
    check("1.33");
}
