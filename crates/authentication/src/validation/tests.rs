//! One table a kind: what is changed in a good object, and what is said.

use super::*;

const NAME: &str = "0123456789012345678901234567890123456789012";

fn check(of: fn(&Value) -> ErrorList, good: &Value, changes: &[(&str, Value, &str)]) {
    assert_eq!(of(good), ErrorList::new());
    for (pointer, value, expect) in changes {
        let mut object = good.clone();
        let path: Vec<&str> = pointer.split('.').collect();
        object.set(&path, value.clone());
        let texts: Vec<String> = of(&object).iter().map(ToString::to_string).collect();
        assert_eq!(texts.join("; "), *expect, "{pointer} {value}");
    }
}

#[test]
fn users_and_groups() {
    let good = json!({"metadata": {"name": "ann"}, "identities": ["p:ann"], "groups": null});
    check(
        user,
        &good,
        &[
            (
                "metadata.name",
                json!("a:b"),
                r#"metadata.name: Invalid value: "a:b": may not contain ":""#,
            ),
            (
                "metadata.name",
                json!("~"),
                r#"metadata.name: Invalid value: "~": may not equal "~""#,
            ),
            (
                "identities",
                json!(["ann"]),
                r#"identities[0]: Invalid value: "ann": must be in the format <providerName>:<providerUserName>"#,
            ),
            ("groups", json!([""]), r#"groups[0]: Invalid value: "": may not be empty"#),
        ],
    );
    let good = json!({"metadata": {"name": "devs"}, "users": ["ann"]});
    let text = r#"user[0]: Invalid value: "a:b": may not contain ":""#;
    check(group, &good, &[("users", json!(["a:b"]), text)]);
}

#[test]
fn identities_and_mappings() {
    let good = json!({
        "metadata": {"name": "p:ann"}, "providerName": "p", "providerUserName": "ann",
        "user": {"name": "ann", "uid": "1"},
    });
    check(
        identity,
        &good,
        &[
            (
                "user.uid",
                json!(""),
                "user.uid: Required value: uid is required when username is provided",
            ),
            ("providerName", json!("q"), r#"user.name: Invalid value: "ann": must be q:ann"#),
        ],
    );
    let mut renamed = good.clone();
    renamed["providerUserName"] = json!("bob");
    renamed["metadata"]["name"] = json!("p:bob");
    let errors = identity_update(&renamed, &good);
    assert_eq!(
        errors[0].to_string(),
        r#"providerUserName: Invalid value: "bob": may not change providerUserName"#
    );
    let good = json!({"metadata": {"name": "p:ann"}, "identity": {"name": "p:ann"}, "user": {"name": "ann"}});
    check(
        mapping,
        &good,
        &[
            (
                "identity.name",
                json!("p:bob"),
                r#"identity.name: Invalid value: "p:bob": must match metadata.name"#,
            ),
            ("user.name", json!(""), "user.name: Required value"),
        ],
    );
}

#[test]
fn tokens() {
    let good = json!({
        "metadata": {"name": NAME}, "clientName": "c", "userName": "ann", "userUID": "1",
        "scopes": ["user:full"], "redirectURI": "https://a/b", "expiresIn": 300,
    });
    check(
        access_token,
        &good,
        &[
            (
                "metadata.name",
                json!("short"),
                r#"metadata.name: Invalid value: "short": must be at least 32 characters long"#,
            ),
            ("userUID", json!(""), "userUID: Required value"),
            ("scopes", json!([]), "scopes: Required value: may not be empty"),
            (
                "scopes",
                json!(["user:x"]),
                r#"scopes[0]: Invalid value: "user:x": unrecognized scope: user:x"#,
            ),
            ("scopes", json!(["a b"]), r#"scopes[0]: Invalid value: "a b": 32 not allowed"#),
            (
                "redirectURI",
                json!("https://a/../b"),
                r#"redirectURI: Invalid value: "https://a/../b": may not contain a path segment of .."#,
            ),
            ("expiresIn", json!(-1), "expiresIn: Invalid value: -1: cannot be a negative value"),
        ],
    );
    check(
        authorize_token,
        &good,
        &[
            ("expiresIn", json!(0), "expiresIn: Invalid value: 0: must be greater than zero"),
            (
                "codeChallenge",
                json!(NAME),
                "codeChallengeMethod: Required value: required if codeChallenge is specified",
            ),
        ],
    );
    let mut changed = good.clone();
    changed["scopes"] = json!(["user:info"]);
    assert_eq!(token_update(&changed, &good).len(), 1);
    changed = good.clone();
    changed["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(token_update(&changed, &good), ErrorList::new());
}

#[test]
fn clients() {
    let good = json!({"metadata": {"name": "c"}, "redirectURIs": ["https://a"]});
    check(
        client,
        &good,
        &[
            (
                "accessTokenInactivityTimeoutSeconds",
                json!(10),
                "accessTokenInactivityTimeoutSeconds: Invalid value: 10: The minimum valid timeout value is 300 seconds",
            ),
            (
                "scopeRestrictions",
                json!([{"clusterRole": {"roleNames": ["a"]}}]),
                "scopeRestrictions[0].clusterRole.namespaces: Required value: won't match anything",
            ),
        ],
    );
    let good = json!({
        "metadata": {"name": "ann:c"}, "clientName": "c", "userName": "ann", "userUID": "1",
        "scopes": ["user:full"],
    });
    let text =
        r#"metadata.name: Invalid value: "ann:c": must be in the format <userName>:<clientName>"#;
    check(client_authorization, &good, &[("clientName", json!("d"), text)]);
}
