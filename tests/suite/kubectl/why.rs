//! Explanations as any client may ask for them.

use apimachinery::Value;
use cluster::Access;

use crate::harness::kubectl::{Kubectl, MAIN};
use crate::harness::served::Served;

const QUESTION: &str = r#"{"apiVersion": "why.rehearse/v1", "kind": "Explanation",
    "metadata": {"namespace": "default"}, "spec": {"resource": "pod", "name": "web"}}"#;

#[test]
fn a_pod_is_explained_to_those_who_may_see_it() {
    let cluster = Served::with(|config| config.access = Access::Policy);
    let Some(kubectl) = Kubectl::find(MAIN, &cluster.kubeconfig()) else { return };
    cluster.image("web:1", "{}");
    kubectl.ok("run web --image=web:1 --restart=Never");
    kubectl.ok("wait --for=condition=Ready pod/web --timeout=60s");
    let file = cluster.kubeconfig().with_file_name("question.json");
    std::fs::write(&file, QUESTION).unwrap();
    let ask = format!("create -f {} -o json", file.display());
    let answer: Value = serde_json::from_str(&kubectl.ok(&ask)).unwrap();
    let placement = &answer["status"]["placement"];
    assert_eq!(placement["agrees"], true, "{answer}");
    assert_eq!(placement["recorded"], "localhost");
    let text = answer["status"]["text"].as_str().unwrap();
    assert!(text.contains("Only localhost can take it"), "{text}");
    let other = file.with_file_name("other.json");
    let policy =
        |name: &str| QUESTION.replace(r#""pod","#, &format!(r#""pod", "policy": "{name}","#));
    std::fs::write(&other, policy("kubernetes")).unwrap();
    let answer = kubectl.ok(&format!("create -f {} -o jsonpath={{.status.text}}", other.display()));
    assert!(answer.contains("By the policy given") && !answer.contains("(Region)"), "{answer}");
    let refused = kubectl.run(&["create", "-f", file.to_str().unwrap(), "--as=alice"]);
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    kubectl.ok("create rolebinding sees --clusterrole=view --user=alice");
    let veiled: Value = serde_json::from_str(&kubectl.ok(&format!("{ask} --as=alice"))).unwrap();
    assert_eq!(veiled["status"]["placement"]["decision"]["verdicts"], apimachinery::json!([]));
    assert_eq!(veiled["status"]["finding"]["state"], "settled");
}
