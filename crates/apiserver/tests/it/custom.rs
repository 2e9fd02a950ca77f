//! Custom resources: definitions, their objects, and what happens when a definition goes.

use api::Resource;
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::{Client, DeleteOptions, FieldValidation, PatchKind, User, WriteOptions, Written};

use crate::cluster;

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
                    "statusReplicasPath": ".status.replicas"}},
                "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {
                    "spec": {"type": "object", "required": ["cron"], "properties": {
                        "cron": {"type": "string", "pattern": "^[0-9*]+$"},
                        "replicas": {"type": "integer", "minimum": 1, "default": 2},
                        "mode": {"type": "string", "enum": ["a", "b"]},
                        "ports": {"type": "array", "x-kubernetes-list-type": "map",
                            "x-kubernetes-list-map-keys": ["port"], "items": {"type": "object",
                            "properties": {"port": {"type": "integer"},
                                "name": {"type": "string"}}}},
                        "free": {"type": "object",
                            "x-kubernetes-preserve-unknown-fields": true}}},
                    "status": {"type": "object", "properties": {
                        "replicas": {"type": "integer"}}}}}},
            }],
        },
    })
}

fn served(client: &Client) -> &'static Resource {
    client.create(&api::CUSTOM_RESOURCE_DEFINITIONS, "", definition()).unwrap();
    client.server().find("stable.example.com", "v1", "crontabs").unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "a literal reads better as it is")]
fn tab(spec: Value) -> Value {
    json!({"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "t"},
        "spec": spec})
}

#[test]
fn a_definition_is_served_at_once_and_its_objects_go_with_it() {
    let client = cluster();
    assert!(client.server().find("stable.example.com", "v1", "crontabs").is_none());
    let crontabs = served(&client);
    let crd =
        client.get(&api::CUSTOM_RESOURCE_DEFINITIONS, "", "crontabs.stable.example.com").unwrap();
    assert_eq!(crd["status"]["conditions"][1]["type"], "Established");
    assert_eq!(crd["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(crd["spec"]["names"]["singular"], "crontab");
    assert!(client.server().resources().contains(&crontabs));
    let made = client.create(crontabs, "test", tab(json!({"cron": "1", "x": 1}))).unwrap();
    assert_eq!(made["spec"], json!({"cron": "1", "replicas": 2}));
    assert_eq!(made.generation(), 1);
    let (crds, name) = (&api::CUSTOM_RESOURCE_DEFINITIONS, "crontabs.stable.example.com");
    client.delete(crds, "", name, DeleteOptions::default()).unwrap();
    let going = client.get(crds, "", name).unwrap();
    assert_eq!(going["status"]["conditions"][2]["reason"], "InstanceDeletionPending");
    let refused = client.create(crontabs, "test", tab(json!({"cron": "2"}))).unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (405, "create not allowed while custom resource definition is terminating")
    );
    let finalizers = json!({"metadata": {"finalizers": []}});
    client.patch(crds, "", name, PatchKind::Merge, finalizers).unwrap();
    assert!(client.server().find("stable.example.com", "v1", "crontabs").is_none());
    served(&client);
    assert!(client.list(crontabs, "test").unwrap().is_empty());
}

#[test]
fn objects_are_checked_by_their_schema() {
    let client = cluster();
    let crontabs = served(&client);
    let refused = |spec: Value| client.create(crontabs, "test", tab(spec)).unwrap_err().message;
    let prefix = "CronTab.stable.example.com \"t\" is invalid: ";
    for (spec, text) in [
        (json!({}), "spec.cron: Required value"),
        (
            json!({"cron": 1}),
            "spec.cron: Invalid value: \"integer\": spec.cron in body must be of type string: \
             \"integer\"",
        ),
        (
            json!({"cron": "x"}),
            "spec.cron: Invalid value: \"x\": spec.cron in body should match '^[0-9*]+$'",
        ),
        (
            json!({"cron": "1", "replicas": 0}),
            "spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or \
             equal to 1",
        ),
        (
            json!({"cron": "1", "mode": "c"}),
            "spec.mode: Unsupported value: \"c\": supported values: \"a\", \"b\"",
        ),
    ] {
        assert_eq!(refused(spec), format!("{prefix}{text}"));
    }
    let admin = User::system_admin();
    let mut call = apiserver::Call::new(&admin, crontabs).within("test");
    call.options.field_validation = FieldValidation::Strict;
    let strict = client.server().create(&call, tab(json!({"cron": "1", "x": 1}))).unwrap_err();
    assert_eq!(
        strict.message,
        "CronTab in version \"v1\" cannot be handled as a CronTab: strict decoding error: unknown \
         field \"spec.x\""
    );
    let kept = client.create(crontabs, "test", tab(json!({"cron": "1", "free": {"a": 1}})));
    assert_eq!(kept.unwrap()["spec"]["free"], json!({"a": 1}));
}

#[test]
fn status_and_scale_are_of_their_own() {
    let client = cluster();
    let crontabs = served(&client);
    client.create(crontabs, "test", tab(json!({"cron": "1"}))).unwrap();
    let status = json!({"status": {"replicas": 4}, "spec": {"cron": "9"}});
    let shown = client.patch_status(crontabs, "test", "t", PatchKind::Merge, status).unwrap();
    assert_eq!((&shown["spec"]["cron"], shown.generation()), (&json!("1"), 1));
    let scale = client.update_scale(crontabs, "test", "t", 7).unwrap();
    assert_eq!(
        (&scale["spec"], &scale["status"]),
        (&json!({"replicas": 7}), &json!({"replicas": 4}))
    );
    let tab = client.get(crontabs, "test", "t").unwrap();
    assert_eq!((&tab["spec"]["replicas"], tab.generation()), (&json!(7), 2));
}

#[test]
fn they_are_applied_by_their_schema() {
    let client = cluster();
    let crontabs = served(&client);
    let admin = User::system_admin();
    let apply = |manager: &str, spec: Value| -> Result<Value, Status> {
        let mut call = apiserver::Call::new(&admin, crontabs).within("test").named("t");
        call.options =
            WriteOptions { field_manager: manager.to_owned(), ..WriteOptions::default() };
        let value = |written: Written| written.object.into_value();
        client.server().patch(&call, PatchKind::Apply, tab(spec)).map(value)
    };
    apply("a", json!({"cron": "1", "ports": [{"port": 1, "name": "x"}]})).unwrap();
    let both = apply("b", json!({"ports": [{"port": 2}]})).unwrap();
    assert_eq!(both["spec"]["ports"].as_array().map(|list| list.len()), Some(2));
    let conflict = apply("b", json!({"cron": "2"})).unwrap_err();
    assert_eq!(conflict.message, "Apply failed with 1 conflict: conflict with \"a\": .spec.cron");
    let patch = json!({"spec": {"cron": "3"}});
    let strategic = client.patch(crontabs, "test", "t", PatchKind::Strategic, patch).unwrap_err();
    assert_eq!(strategic.code, 415);
}

#[test]
fn definitions_are_checked_and_names_are_taken_once() {
    let client = cluster();
    let crds = &api::CUSTOM_RESOURCE_DEFINITIONS;
    let mut wrong = definition();
    wrong["metadata"]["name"] = json!("x");
    wrong["spec"]["versions"][0]["schema"] = Value::Null;
    assert_eq!(
        client.create(crds, "", wrong).unwrap_err().message,
        "CustomResourceDefinition.apiextensions.k8s.io \"x\" is invalid: [metadata.name: Invalid \
         value: \"x\": must be spec.names.plural+\".\"+spec.group, \
         spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required]"
    );
    served(&client);
    let mut second = definition();
    second["metadata"]["name"] = json!("tabs.stable.example.com");
    second["spec"]["names"]["plural"] = json!("tabs");
    let second = client.create(crds, "", second).unwrap();
    assert_eq!(second["status"]["conditions"][0]["reason"], "NamesConflict");
    assert!(client.server().find("stable.example.com", "v1", "tabs").is_none());
}

#[test]
fn the_old_form_of_a_definition_is_understood() {
    let client = cluster();
    let old = api::find("apiextensions.k8s.io", "v1beta1", "customresourcedefinitions").unwrap();
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "foos.example.com"},
        "spec": {"group": "example.com", "version": "v1", "scope": "Cluster",
            "names": {"plural": "foos", "kind": "Foo"},
            "additionalPrinterColumns": [{"name": "A", "type": "string", "JSONPath": ".spec.a"}],
            "validation": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {"a": {"type": "string"}}}}}}},
    });
    let made = client.create(old, "", crd).unwrap();
    assert_eq!(made["apiVersion"], "apiextensions.k8s.io/v1beta1");
    let foos = client.server().find("example.com", "v1", "foos").unwrap();
    let foo = |a: Value| json!({"metadata": {"name": "f"}, "spec": {"a": a, "other": 1}});
    assert!(client.create(foos, "", foo(json!(1))).is_err());
    let kept = client.create(foos, "", foo(json!("x"))).unwrap();
    assert_eq!(kept["spec"]["other"], 1);
}

/// A definition with one version of this schema of `spec`.
fn ruled(spec: Value) -> Value {
    let mut definition = definition();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = spec;
    definition
}

fn with_rules(rules: &Value) -> Value {
    ruled(json!({"type": "object", "x-kubernetes-validations": rules, "properties": {
        "min": {"type": "integer"}, "max": {"type": "integer"},
        "name": {"type": "string", "maxLength": 20},
        "ports": {"type": "array", "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object",
            "x-kubernetes-validations": [{"rule": "!has(oldSelf.port) || self.port >= oldSelf.port",
                "message": "ports only grow"}],
            "properties": {"name": {"type": "string"}, "port": {"type": "integer"}}}},
        "x-y": {"type": "string"}}}))
}

#[test]
fn rules_are_held_against_objects() {
    let client = cluster();
    let rules = json!([
        {"rule": "!has(self.min) || !has(self.max) || self.min <= self.max"},
        {"rule": "!has(self.name) || self.name != 'root'", "message": "nobody is root",
            "reason": "FieldValueForbidden", "fieldPath": ".name"},
        {"rule": "!has(self.x__dash__y) || self.x__dash__y.size() < 3",
            "messageExpression": "'too long: ' + self.x__dash__y"},
        {"rule": "has(oldSelf.name) == has(self.name)", "message": "a name stays"},
    ]);
    client.create(&api::CUSTOM_RESOURCE_DEFINITIONS, "", with_rules(&rules)).unwrap();
    let crontabs = client.server().find("stable.example.com", "v1", "crontabs").unwrap();
    let refused = |spec: Value| {
        let status = client.create(crontabs, "default", tab(spec)).unwrap_err();
        assert_eq!(status.code, 422);
        status.message
    };
    let start = "CronTab.stable.example.com \"t\" is invalid: ";
    for (spec, text) in [
        (
            json!({"min": 5, "max": 3}),
            "spec: Invalid value: \"object\": failed rule: !has(self.min) || !has(self.max) || self.min <= self.max",
        ),
        (json!({"name": "root"}), "spec.name: Forbidden: nobody is root"),
        (json!({"x-y": "abc"}), "spec: Invalid value: \"object\": too long: abc"),
    ] {
        assert_eq!(refused(spec), format!("{start}{text}"));
    }
    let port = |number: i64| json!([{"name": "web", "port": number}]);
    let good = json!({"min": 1, "max": 3, "ports": port(80)});
    let made = client.create(crontabs, "default", tab(good)).unwrap();
    let changed = |field: &str, value: Value| {
        let mut object = (*made).clone();
        object["spec"][field] = value;
        client.update(crontabs, object).map_err(|status| status.message)
    };
    assert_eq!(
        changed("name", json!("x")).unwrap_err(),
        format!("{start}spec: Invalid value: \"object\": a name stays")
    );
    assert_eq!(
        changed("ports", port(79)).unwrap_err(),
        format!("{start}spec.ports[0]: Invalid value: \"object\": ports only grow")
    );
    changed("ports", port(81)).unwrap();
}

#[test]
fn rules_that_cannot_be_read_are_refused_with_their_definition() {
    let client = cluster();
    let refused = |rule: Value| {
        let definition = with_rules(&json!([rule]));
        client.create(&api::CUSTOM_RESOURCE_DEFINITIONS, "", definition).unwrap_err().message
    };
    let text = refused(json!({"rule": "self.mni > 0"}));
    assert_eq!(
        text,
        "CustomResourceDefinition.apiextensions.k8s.io \"crontabs.stable.example.com\" is invalid: \
         spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: Invalid value: \
         apiextensions.ValidationRule{Rule:\"self.mni > 0\", Message:\"\", MessageExpression:\"\", \
         Reason:(*apiextensions.FieldValueErrorReason)(nil), FieldPath:\"\", OptionalOldSelf:(*bool)(nil)}: \
         compilation failed: ERROR: <input>:1:5: undefined field 'mni'\n | self.mni > 0\n | ....^"
    );
    for (rule, part) in [
        (json!({"rule": "self.min"}), "cel expression must evaluate to a bool"),
        (json!({"rule": ""}), "rule is not specified"),
        (
            json!({"rule": "true", "messageExpression": "self.min"}),
            "messageExpression must evaluate to a string",
        ),
        (json!({"rule": "true", "reason": "Because"}), "Unsupported value: \"Because\""),
        (json!({"rule": "true", "fieldPath": ".no"}), "does not refer to a valid field"),
        (json!({"rule": "true", "optionalOldSelf": true}), "not supported by this server"),
    ] {
        let text = refused(rule);
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn objects_are_selected_by_the_fields_that_their_definition_names() {
    let client = cluster();
    let mut definition = definition();
    definition["spec"]["versions"][0]["selectableFields"] = json!([{"jsonPath": ".spec.mode"}]);
    client.create(&api::CUSTOM_RESOURCE_DEFINITIONS, "", definition).unwrap();
    let crontabs = client.server().find("stable.example.com", "v1", "crontabs").unwrap();
    for (name, mode) in [("one", "a"), ("two", "b")] {
        let mut object = tab(json!({"cron": "1", "mode": mode}));
        object["metadata"]["name"] = json!(name);
        client.create(crontabs, "default", object).unwrap();
    }
    let admin = User::system_admin();
    let call = apiserver::Call::new(&admin, crontabs).within("default");
    let list = |selector: &str| {
        let options = apiserver::ListOptions {
            field_selector: selector.to_owned(),
            ..apiserver::ListOptions::default()
        };
        client.server().list(&call, &options)
    };
    let found = list("spec.mode=b").unwrap();
    assert_eq!(found.items.len(), 1);
    assert_eq!(found.items[0].value().name(), "two");
    assert_eq!(list("spec.cron=1").unwrap_err().code, 400);
}

#[test]
fn two_versions_show_the_same_objects() {
    let client = cluster();
    let mut definition = definition();
    let mut older = definition["spec"]["versions"][0].clone();
    older["name"] = json!("v1alpha1");
    older["storage"] = json!(false);
    definition["spec"]["versions"].as_array_mut().unwrap().push(older);
    definition["spec"]["conversion"] = json!({"strategy": "None"});
    client.create(&api::CUSTOM_RESOURCE_DEFINITIONS, "", definition).unwrap();
    let find = |version| client.server().find("stable.example.com", version, "crontabs").unwrap();
    let mut object = tab(json!({"cron": "1"}));
    object["apiVersion"] = json!("stable.example.com/v1alpha1");
    client.create(find("v1alpha1"), "default", object).unwrap();
    let newer = client.get(find("v1"), "default", "t").unwrap();
    assert_eq!(
        (newer.api_version(), &newer["spec"]["cron"]),
        ("stable.example.com/v1", &json!("1"))
    );
    let older = client.get(find("v1alpha1"), "default", "t").unwrap();
    assert_eq!(older.api_version(), "stable.example.com/v1alpha1");
    assert_eq!(older.uid(), newer.uid());
}

#[test]
fn a_costly_rule_is_ended() {
    let client = cluster();
    let all = "self.list.all(a, self.list.all(b, self.list.all(c, a + b + c > 0)))";
    let spec = json!({"type": "object", "properties": {"list": {"type": "array", "items":
        {"type": "integer"}}}, "x-kubernetes-validations": [{"rule": all}]});
    client.create(&api::CUSTOM_RESOURCE_DEFINITIONS, "", ruled(spec)).unwrap();
    let crontabs = client.server().find("stable.example.com", "v1", "crontabs").unwrap();
    let refused = client.create(crontabs, "default", tab(json!({"list": vec![1; 500]})));
    let text = refused.unwrap_err().message;
    assert!(text.contains("actual cost limit exceeded"), "{text}");
    client.create(crontabs, "default", tab(json!({"list": [1, 2]}))).unwrap();
}

#[test]
fn what_an_update_leaves_alone_is_not_held_against_it() {
    let client = cluster();
    let crontabs = served(&client);
    client.create(crontabs, "default", tab(json!({"cron": "1", "mode": "a"}))).unwrap();
    let name = "crontabs.stable.example.com";
    let crd = client.get(&api::CUSTOM_RESOURCE_DEFINITIONS, "", name).unwrap();
    let mut stricter = (*crd).clone();
    let schema = &mut stricter["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    schema["spec"]["properties"]["mode"]["enum"] = json!(["b"]);
    client.update(&api::CUSTOM_RESOURCE_DEFINITIONS, stricter).unwrap();
    let mut object = (*client.get(crontabs, "default", "t").unwrap()).clone();
    object["spec"]["replicas"] = json!(7);
    let kept = client.update(crontabs, object).unwrap();
    let mut object = (*kept).clone();
    object["spec"]["mode"] = json!("c");
    assert_eq!(client.update(crontabs, object).unwrap_err().code, 422);
}
