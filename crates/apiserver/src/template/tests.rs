//! Templates as people write them.

use super::*;

fn processed(mut template: Value) -> Result<Value, Vec<String>> {
    let mut errors = check_parameters(&template);
    if errors.is_empty() {
        errors = process(&mut template, &World::simulated(1));
    }
    if errors.is_empty() {
        return Ok(template);
    }
    let path = |error: &Error| error.cause()["field"].as_str().unwrap_or_default().to_owned();
    Err(errors.iter().map(|error| format!("{}: {}", path(error), error.body())).collect())
}

#[test]
fn references_become_values() {
    let template = json!({
        "message": "for ${ONE}",
        "labels": {"t-${ONE}": "${TWO}"},
        "parameters": [
            {"name": "ONE", "value": "1"}, {"name": "TWO", "value": "two"},
            {"name": "LIST", "value": "[\"a\"]"}, {"name": "BAD", "value": "[\"a\""},
        ],
        "objects": [{
            "kind": "Service",
            "metadata": {"name": "${TWO}_$${ONE}", "namespace": "fixed",
                "labels": {"k${ONE}": "${{ONE}}", "u": "${{OTHER}}", "v": "${OTHER}",
                    "w": "a${{ONE}}"}},
            "list": "${{LIST}}", "bad": "${{BAD}}",
        }, {"kind": "Route", "metadata": {"namespace": "${TWO}"}}],
    });
    let done = processed(template).unwrap();
    assert_eq!(done["message"], "for 1");
    assert_eq!(
        done["objects"][0],
        json!({
            "kind": "Service",
            "metadata": {"name": "two_$1", "labels": {"k1": 1, "u": "${{OTHER}}",
                "v": "${OTHER}", "w": "a${{ONE}}", "t-1": "two"}},
            "list": ["a"], "bad": "[\"a\"",
        })
    );
    assert_eq!(done["objects"][1]["metadata"]["namespace"], "two");
}

#[test]
fn values_are_made_up() {
    let from = |from: &str| {
        let parameter = json!({"name": "P", "generate": "expression", "from": from});
        let done = processed(json!({"parameters": [parameter]}))?;
        Ok::<_, Vec<String>>(done["parameters"][0]["value"].as_str().unwrap().to_owned())
    };
    let user = from("user[A-Z0-9]{3}x").unwrap();
    assert!(user.starts_with("user") && user.ends_with('x') && user.len() == 8, "{user}");
    assert!(from(r"[\d]{40}").unwrap().bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(from(r"[\w]{10}[\A]{3}").unwrap().len(), 13);
    assert_eq!(from("plain").unwrap(), "plain");
    for (bad, text) in [
        ("[a-z]{0}", "range must be within [1-255] characters (0)"),
        ("[z-a]{2}", "invalid range specified: z-a"),
    ] {
        assert!(from(bad).unwrap_err()[0].ends_with(text), "{bad}");
    }
}

#[test]
fn what_is_wrong_with_parameters_is_said() {
    let errors = |parameter: Value| processed(json!({"parameters": [parameter]})).unwrap_err();
    assert_eq!(
        errors(json!({"name": "a b"})),
        ["parameters[0].name: Invalid value: \"a b\": does not match ^[a-zA-Z0-9_]+$"]
    );
    assert_eq!(
        errors(json!({"name": "A", "required": true})),
        [concat!(
            "template.parameters[0]: Required value: template.parameters[0]: parameter A is required and ",
            "must be specified"
        )]
    );
    assert_eq!(
        errors(json!({"name": "A", "generate": "foo"})),
        ["template.parameters[0]: Invalid value: \"foo\": Unknown generator name 'foo' for \
          parameter A"]
    );
}
