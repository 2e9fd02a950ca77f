//! RBAC: what rules allow, what they cover, and whom bindings name.

use apimachinery::{Value, json};
use apiserver::User;
use authorization::policy::Policy;
use authorization::rule::{compact, missing};
use authorization::{Access, ResourceTarget, Rule};

use crate::harness::{Outcome, Row, Suites, same};

const AUTHORIZER: &str = "apiserver/authorizer-rbac.json";
const REGISTRY: &str = "apiserver/registry-rbac.json";

fn rules(list: &Value) -> Vec<Rule> {
    list.as_array().into_iter().flatten().map(Rule::from_value).collect()
}

/// A request as upstream's tests write it, with either of two spellings of the fields.
fn access(request: &Value) -> Access<'_> {
    let text =
        |names: [&str; 2]| names.iter().find_map(|name| request[*name].as_str()).unwrap_or("");
    let path = text(["Path", "path"]);
    let verb = text(["verb", "Verb"]);
    if !path.is_empty() {
        return Access::path(verb, path);
    }
    Access::resource(
        verb,
        ResourceTarget {
            group: text(["apiGroup", "APIGroup"]),
            resource: text(["resource", "Resource"]),
            subresource: text(["subresource", "Subresource"]),
            namespace: text(["namespace", "Namespace"]),
            name: text(["name", "Name"]),
        },
    )
}

fn user(name: &str, groups: &str) -> User {
    let groups: Vec<&str> = groups.split(',').filter(|group| !group.is_empty()).collect();
    User { name: name.to_owned(), ..User::with_groups(name, &groups) }
}

/// The same roles and bindings, known to the authoriser. Upstream's tests give bindings no names.
fn policy(roles: &Value) -> Policy {
    let mut policy = Policy::default();
    for (field, kind) in [
        ("clusterRoles", "clusterroles"),
        ("roles", "roles"),
        ("clusterRoleBindings", "clusterrolebindings"),
        ("roleBindings", "rolebindings"),
    ] {
        for (index, object) in roles[field].as_array().into_iter().flatten().enumerate() {
            let mut object = object.clone();
            if object["metadata"]["name"].is_null() {
                object["metadata"]["name"] = json!(format!("binding-{index}"));
            }
            policy.put(kind, &object);
        }
    }
    policy
}

pub(super) fn register(suites: &mut Suites) {
    suites.add(AUTHORIZER, "RuleAllows", |row| {
        let rule = Rule::from_value(row.arg("rule"));
        same(&json!(rule.allows(&access(row.arg("requestAttributes")))), row.result(0))
    });
    suites.add(AUTHORIZER, "RulesAllow", |row| {
        let request = access(row.arg("requestAttributes"));
        let allowed = rules(row.arg("rules")).iter().any(|rule| rule.allows(&request));
        same(&json!(allowed), row.result(0))
    });
    suites.add(AUTHORIZER, "TestRuleMatches.L390", |row| {
        let rule = Rule::from_value(row.arg("rule"));
        let requests = row.arg("requestsToExpected").as_object().expect("requests");
        requests.iter().fold(Outcome::Pass, |outcome, (request, want)| {
            let request: Value = serde_json::from_str(request).expect("a request is JSON");
            outcome.and(|| same(&json!(rule.allows(&access(&request))), want))
        })
    });
    suites.add(AUTHORIZER, "TestAuthorizer.L247", |row| {
        let policy = policy(row.input);
        [("shouldPass", true), ("shouldFail", false)].into_iter().fold(
            Outcome::Pass,
            |outcome, (field, want)| {
                row.arg(field).as_array().into_iter().flatten().fold(outcome, |outcome, request| {
                    let text = |name: &str| request[name].as_str().unwrap_or_default();
                    let user = match &request["User"] {
                        Value::Null => user(text("user"), text("groups")),
                        given => user(given["Name"].as_str().unwrap_or_default(), &groups(given)),
                    };
                    outcome.and(|| same(&policy.allows(&user, &access(request)), &want))
                })
            },
        )
    });
    suites.add(REGISTRY, "Covers", |row| {
        let missing = missing(&rules(row.arg("ownerRules")), &rules(row.arg("servantRules")));
        same(&json!(missing.is_empty()), row.result(0)).and(|| same_rules(&missing, row.result(1)))
    });
    suites.add(REGISTRY, "TestCompactRules.L114", |row| {
        same_rules(&compact(rules(row.arg("Rules"))), row.arg("Expected"))
    });
    suites.add(REGISTRY, "TestNonResourceURLCovers.L440", |row| {
        let rule = |url: &str| {
            vec![Rule::from_value(&json!({"verbs": ["get"], "nonResourceURLs": [url]}))]
        };
        let missing = missing(&rule(row.text("owner")), &rule(row.text("requested")));
        same(&json!(missing.is_empty()), row.arg("want"))
    });
    suites.add(REGISTRY, "TestAppliesTo.L268", applies);
    suites.add(REGISTRY, "TestDefaultRuleResolver.L146", |row| {
        let policy = policy(row.arg("StaticRoles"));
        let who =
            user(row.arg("user")["Name"].as_str().unwrap_or_default(), &groups(row.arg("user")));
        same_rules(&policy.rules_for(&who, row.text("namespace")), row.arg("effectiveRules"))
    });
}

fn groups(user: &Value) -> String {
    let groups = user["Groups"].as_array().into_iter().flatten().filter_map(Value::as_str);
    groups.collect::<Vec<_>>().join(",")
}

/// Whether a binding of the subjects reaches the user.
fn applies(row: &Row<'_>) -> Outcome {
    let namespace = row.text("namespace");
    let kind = if namespace.is_empty() { "clusterrolebindings" } else { "rolebindings" };
    let mut policy = Policy::default();
    let rule = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]});
    policy.put("clusterroles", &json!({"metadata": {"name": "r"}, "rules": [rule]}));
    policy.put(
        kind,
        &json!({"metadata": {"name": "b", "namespace": namespace}, "subjects": row.arg("subjects"),
            "roleRef": {"kind": "ClusterRole", "name": "r"}}),
    );
    let who = user(row.arg("user")["Name"].as_str().unwrap_or_default(), &groups(row.arg("user")));
    let request = json!({"verb": "get", "resource": "pods", "namespace": namespace});
    same(&json!(policy.allows(&who, &access(&request))), row.arg("appliesTo"))
}

/// Compares rules in any order.
fn same_rules(got: &[Rule], want: &Value) -> Outcome {
    let texts = |rules: &[Rule]| {
        let mut texts: Vec<String> = rules.iter().map(Rule::to_string).collect();
        texts.sort();
        texts
    };
    same(&texts(got), &texts(&rules(want)))
}
