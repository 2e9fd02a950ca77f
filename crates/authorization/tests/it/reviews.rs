//! Access reviews, as `can-i` and `who-can` send them.

use api::Resource;
use apimachinery::{Value, json};

use crate::cluster::Cluster;

fn ask(cluster: &Cluster, user: &str, resource: &'static Resource, ns: &str, body: Value) -> Value {
    match cluster.client(user).create(resource, ns, body) {
        Ok(answer) => (*answer).clone(),
        Err(status) => json!(status.message),
    }
}

fn may(verb: &str, resource: &str, namespace: &str) -> Value {
    json!({"spec": {"resourceAttributes":
        {"verb": verb, "resource": resource, "namespace": namespace}}})
}

#[test]
fn can_i_answers_with_a_reason() {
    let cluster = Cluster::new();
    let status = |review| {
        ask(&cluster, "alice", &api::SELF_SUBJECT_ACCESS_REVIEWS, "", review)["status"].clone()
    };
    assert_eq!(
        status(may("create", "pods", "alice-proj")),
        json!({"allowed": true, "reason": "RBAC: allowed by RoleBinding \"admin/alice-proj\" of ClusterRole \"admin\" to User \"alice\""})
    );
    let no = json!({"allowed": false, "reason": "no RBAC policy matched"});
    assert_eq!(status(may("create", "pods", "")), no);
    assert_eq!(status(may("*", "*", "")), no);
    // Verbs of extensions, and paths.
    let jenkins = json!({"spec": {"resourceAttributes": {"verb": "admin", "resource": "jenkins",
        "group": "build.openshift.io", "namespace": "alice-proj"}}});
    assert_eq!(status(jenkins)["allowed"], true);
    let path = json!({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/version"}}});
    assert_eq!(status(path)["allowed"], true);
}

#[test]
fn reviews_of_others_and_their_mistakes() {
    let cluster = Cluster::new();
    let sar = &api::SUBJECT_ACCESS_REVIEWS;
    let mut review = may("get", "pods", "alice-proj");
    assert_eq!(
        ask(&cluster, "carol", sar, "", review.clone()),
        "SubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.user: Invalid value: \"\": at least one of user or group must be specified"
    );
    review["spec"]["user"] = json!("alice");
    assert_eq!(ask(&cluster, "carol", sar, "", review.clone())["status"]["allowed"], true);
    review["spec"]["user"] = json!("bob");
    assert_eq!(ask(&cluster, "carol", sar, "", review.clone())["status"]["allowed"], false);
    review["spec"]["groups"] = json!(["system:masters"]);
    assert_eq!(ask(&cluster, "carol", sar, "", review.clone())["status"]["allowed"], true);
    let local = &api::LOCAL_SUBJECT_ACCESS_REVIEWS;
    assert_eq!(
        ask(&cluster, "carol", local, "bob-proj", review),
        "spec.resourceAttributes.namespace must match namespace: bob-proj"
    );
    let nothing = json!({"spec": {"user": "bob"}});
    assert_eq!(
        ask(&cluster, "carol", sar, "", nothing),
        "SubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: \"null\": exactly one of nonResourceAttributes or resourceAttributes must be specified"
    );
}

#[test]
fn what_may_i_lists_rules() {
    let cluster = Cluster::new();
    let review = json!({"spec": {"namespace": "alice-proj"}});
    let answer = ask(&cluster, "alice", &api::SELF_SUBJECT_RULES_REVIEWS, "", review);
    let rules = answer["status"]["resourceRules"].as_array().unwrap();
    assert_eq!(
        rules[0],
        json!({"verbs": ["get"], "apiGroups": ["", "user.openshift.io"], "resources": ["users"], "resourceNames": ["~"]})
    );
    assert_eq!(
        answer["status"]["nonResourceRules"][0],
        json!({"verbs": ["get"], "nonResourceURLs": ["/healthz", "/healthz/*"]})
    );
    assert_eq!(answer["status"]["incomplete"], false);
}

/// The rows of `oc policy can-i --list`, shortened: the first ones, as a 3.11 master gave them.
#[test]
fn the_older_review_lists_rules_resource_by_resource() {
    let cluster = Cluster::new();
    let own = json!({"spec": {"scopes": null}});
    let legacy = &api::OPENSHIFT_SELF_SUBJECT_RULES_REVIEWS;
    let answer = ask(&cluster, "alice", legacy, "alice-proj", own);
    let rules = answer["status"]["rules"].as_array().unwrap();
    let row = |rule: &Value| {
        let count = rule["verbs"].as_array().unwrap().len();
        let (group, what) = (&rule["apiGroups"][0], &rule["resources"][0]);
        format!("{count} {} {}", group.as_str().unwrap(), what.as_str().unwrap())
    };
    let rows: Vec<String> = rules.iter().take(9).map(row).collect();
    assert_eq!(
        rows,
        [
            "3 build.openshift.io jenkins",
            "1 authorization.k8s.io selfsubjectaccessreviews",
            "1  selfsubjectrulesreviews",
            "1 authorization.openshift.io selfsubjectrulesreviews",
            "8 extensions networkpolicies",
            "8 networking.k8s.io networkpolicies",
            "9  serviceaccounts",
            "8  buildconfigs",
            "8  buildlogs",
        ]
    );
    assert_eq!(
        rules[0],
        json!({"verbs": ["admin", "edit", "view"], "attributeRestrictions": null,
            "apiGroups": ["build.openshift.io"], "resources": ["jenkins"]})
    );
    let other = json!({"spec": {"user": "bob", "groups": [], "scopes": null}});
    let answer = ask(&cluster, "alice", &api::SUBJECT_RULES_REVIEWS, "alice-proj", other);
    assert_eq!(answer["status"]["rules"], json!([]));
}

#[test]
fn who_can_names_everyone() {
    let mut cluster = Cluster::new();
    cluster.settle();
    let who = |verb: &str, group: &str, resource: &str| {
        let body = json!({"namespace": "", "verb": verb, "resourceAPIGroup": group,
            "resource": resource, "resourceName": "", "resourceAPIVersion": "", "path": "",
            "isNonResourceURL": false});
        let resource = &api::LOCAL_RESOURCE_ACCESS_REVIEWS;
        ask(&cluster, "alice", resource, "alice-proj", body)
    };
    assert_eq!(
        who("create", "apps.openshift.io", "deploymentconfigs"),
        json!({
            "kind": "ResourceAccessReviewResponse",
            "apiVersion": "authorization.openshift.io/v1",
            "namespace": "alice-proj",
            "users": [
                "alice",
                "system:admin",
                "system:serviceaccount:kube-system:clusterrole-aggregation-controller",
                "system:serviceaccount:openshift-infra:template-instance-controller",
                "system:serviceaccount:openshift-infra:template-instance-finalizer-controller",
            ],
            "groups": ["system:cluster-admins", "system:masters"],
            "evalutionError": "",
        })
    );
    // As a 3.11 master answered for a new project.
    let answer = who("get", "", "pods");
    let short = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        name.strip_prefix("system:serviceaccount:").unwrap_or(name).to_owned()
    };
    let users: Vec<String> = answer["users"].as_array().unwrap().iter().map(short).collect();
    assert_eq!(
        users,
        [
            "alice",
            "system:admin",
            "system:kube-scheduler",
            "alice-proj:deployer",
            "kube-system:clusterrole-aggregation-controller",
            "kube-system:deployment-controller",
            "kube-system:endpoint-controller",
            "kube-system:generic-garbage-collector",
            "kube-system:namespace-controller",
            "kube-system:persistent-volume-binder",
            "kube-system:pvc-protection-controller",
            "kube-system:statefulset-controller",
            "openshift-infra:build-controller",
            "openshift-infra:default-rolebindings-controller",
            "openshift-infra:deployer-controller",
            "openshift-infra:pv-recycler-controller",
            "openshift-infra:sdn-controller",
            "openshift-infra:template-instance-controller",
            "openshift-infra:template-instance-finalizer-controller",
        ]
    );
    assert_eq!(
        answer["groups"],
        json!(["system:cluster-admins", "system:cluster-readers", "system:masters"])
    );
}

#[test]
fn the_older_review_answers_for_others_and_oneself() {
    let cluster = Cluster::new();
    let body = |user: &str, namespace: &str| {
        json!({"namespace": namespace, "verb": "get", "resourceAPIGroup": "",
            "resource": "pods/log", "resourceName": "", "resourceAPIVersion": "", "path": "",
            "isNonResourceURL": false, "user": user, "groups": [], "scopes": null})
    };
    let local = &api::OPENSHIFT_LOCAL_SUBJECT_ACCESS_REVIEWS;
    assert_eq!(
        ask(&cluster, "alice", local, "alice-proj", body("bob", "")),
        json!({
            "kind": "SubjectAccessReviewResponse",
            "apiVersion": "authorization.openshift.io/v1",
            "namespace": "alice-proj",
            "allowed": false,
            "reason": "no RBAC policy matched",
        })
    );
    assert_eq!(ask(&cluster, "alice", local, "alice-proj", body("", ""))["allowed"], true);
    let everywhere = &api::OPENSHIFT_SUBJECT_ACCESS_REVIEWS;
    assert_eq!(ask(&cluster, "alice", everywhere, "", body("", "alice-proj"))["allowed"], true);
    assert_eq!(
        ask(&cluster, "bob", everywhere, "", body("alice", "alice-proj")),
        "localsubjectaccessreviews.authorization.openshift.io is forbidden: User \"bob\" cannot create localsubjectaccessreviews.authorization.openshift.io in the namespace \"alice-proj\": no RBAC policy matched"
    );
}
