//! `DeploymentConfig`: validation, phases, rollouts, deployer pods, status and triggers.

use std::sync::Arc;

use apimachinery::{Value, json};
use deployments::deployer_controller::{Action, Observed, plan};
use deployments::rest::rollback;
use deployments::rollout::{self, Phase};
use deployments::status::{Progressing, calculate};
use deployments::{deployer_pod, trigger};
use world::Time;

use crate::documents::{bare, same_document, without};
use crate::errors::{agree, agree_on};
use crate::harness::{Outcome, Row, Suites, same};

const VALIDATION: &str = "openshift-deployments/dc-validation.json";
const UTIL: &str = "openshift-deployments/dc-util.json";
const CONTROLLER: &str = "openshift-deployments/dc-controller.json";
const DEPLOYER: &str = "openshift-deployments/dc-deployer-controller.json.gz";

pub(crate) fn register(suites: &mut Suites) {
    validation(suites);
    rollouts(suites);
    suites.add(CONTROLLER, "calculateStatus", status);
    suites.add(CONTROLLER, "TestCalculateStatus.L582", |row| {
        let rcs = controllers(row.arg("rcs"));
        let observe = row.arg("updateObservedGeneration") == true;
        let got = calculate(row.arg("dc"), &rcs, None, observe, Time::default());
        same_status(&got, row.arg("expected"))
    });
    suites.add(CONTROLLER, "triggerActivated", |row| {
        // The configs that upstream encoded hold its zero values.
        let latest = Some(row.arg("latestDeployment")).filter(|rc| rc.is_object()).map(|rc| {
            let config = rollout::decode_config(rc).expect("a rollout holds its config");
            let mut rc = rc.clone();
            rc["metadata"]["annotations"][deployments::keys::ENCODED_CONFIG] =
                json!(bare(&config).to_string());
            rc
        });
        let triggered =
            trigger::decide(&bare(row.arg("config")), latest.as_ref()) != trigger::Decision::Skip;
        same(&json!(triggered), row.result(0))
    });
    suites.add(DEPLOYER, "nextStatus", next_status);
    suites.add(DEPLOYER, "makeDeployerPod", deployer);
}

fn validation(suites: &mut Suites) {
    suites.add(VALIDATION, "ValidateDeploymentConfig", |row| {
        agree(&api::validation::create(&api::DEPLOYMENT_CONFIGS, row.arg("config")), row.result(0))
    });
    suites.add(VALIDATION, "ValidateDeploymentConfigSpec", |row| {
        let config = json!({"metadata": {"name": "name", "namespace": "namespace"}, "spec": row.arg("spec")});
        agree(&api::validation::create(&api::DEPLOYMENT_CONFIGS, &config), row.result(0))
    });
    suites.add(VALIDATION, "ValidateDeploymentConfigRollback", |row| {
        agree(&rollback::check(row.arg("rollback")), row.result(0))
    });
    suites.add(VALIDATION, "TestValidateDeploymentConfigRollbackInvalidFields.L816", |row| {
        let got = rollback::check(row.arg("D"));
        let fields: Vec<String> = got.iter().map(|error| error.field.to_string()).collect();
        same(&json!(fields), &json!([row.arg("F")]))
    });
    suites.add(VALIDATION, "ValidateDeploymentConfigUpdate", |row| {
        let got = api::validation::update(
            &api::DEPLOYMENT_CONFIGS,
            row.arg("newConfig"),
            row.arg("oldConfig"),
        );
        agree_on(&got, row.result(0), |text| !text.starts_with("metadata.resourceVersion: "))
    });
    suites.add(VALIDATION, "TestValidateDeploymentConfigMissingFields.L658", |row| {
        let got = api::validation::create(&api::DEPLOYMENT_CONFIGS, row.arg("DeploymentConfig"));
        let field = if row.text("F").is_empty() { row.text("Field") } else { row.text("F") };
        let kind = if row.text("T").is_empty() { row.text("ErrorType") } else { row.text("T") };
        let found =
            got.iter().any(|error| error.field.to_string() == field && error.kind.reason() == kind);
        if found {
            Outcome::Pass
        } else {
            Outcome::Fail(format!("no {kind} of {field} in {got:?}"))
        }
    });
}

fn rollout_in(phase: &str) -> Value {
    json!({"metadata": {"annotations": {deployments::keys::PHASE: phase}}})
}

fn rollouts(suites: &mut Suites) {
    let may = |current: &str, next: &str| {
        Phase::of(&rollout_in(current)).may_become(Phase::of(&rollout_in(next)))
    };
    suites.add(UTIL, "CanTransitionPhase", move |row| {
        same(&json!(may(row.text("current"), row.text("next"))), row.result(0))
    });
    suites.add(UTIL, "TestCanTransitionPhase.L186", move |row| {
        same(&json!(may(row.text("current"), row.text("next"))), row.arg("expected"))
    });
    suites.add(UTIL, "MakeDeployment", |row| {
        let got = rollout::make(row.arg("config"));
        let config = |rc: &Value| {
            rollout::decode_config(rc)
                .map(|config| bare(&without(&config, &["kind", "apiVersion"])))
        };
        let body = |rc: &Value| {
            bare(&without(
                rc,
                &[deployments::keys::ENCODED_CONFIG, "kind", "apiVersion", "creationTimestamp"],
            ))
        };
        same_document(&body(&got), &body(row.result(0)))
            .and(|| same(&config(&got), &config(row.result(0))))
    });
    suites.add(UTIL, "RolloutExceededTimeoutSeconds", |row| {
        let now = Time::parse_rfc3339("2026-11-20T12:16:24Z").expect("the time of the recording");
        let mut rc = row.arg("latestRC").clone();
        rc["metadata"]["annotations"][deployments::keys::ENCODED_CONFIG] =
            json!(row.arg("config").to_string());
        rc["metadata"]["annotations"][deployments::keys::PHASE] = json!("New");
        let actions =
            plan(&Observed { rc: &rc, pod: None, last_try: false, unowned: Vec::new(), now });
        let timeout = |action: &Action| matches!(action, Action::Event(_, "RolloutTimeout", _));
        same(&json!(actions.iter().any(timeout)), row.result(0))
    });
}

fn controllers(list: &Value) -> Vec<Arc<Value>> {
    list.as_array().into_iter().flatten().cloned().map(Arc::new).collect()
}

fn same_status(got: &Value, want: &Value) -> Outcome {
    let untimed = |status: &Value| {
        let mut status = bare(&without(status, &["lastUpdateTime", "lastTransitionTime"]));
        if let Some(conditions) = status["conditions"].as_array_mut() {
            conditions.sort_by_key(|condition| condition["type"].to_string());
        }
        status
    };
    same_document(&untimed(got), &untimed(want))
}

fn status(row: &Row<'_>) -> Outcome {
    let given = row.arg("additional").as_array().and_then(|list| list.first());
    let progressing = given.map(|condition| Progressing {
        status: match condition["status"].as_str() {
            Some("True") => "True",
            Some("False") => "False",
            _ => "Unknown",
        },
        reason: condition["reason"].as_str().unwrap_or_default().to_owned().leak(),
        message: condition["message"].as_str().unwrap_or_default().to_owned(),
    });
    let rcs = controllers(row.arg("rcs"));
    let observe = row.arg("updateObservedGeneration") == true;
    let got = calculate(row.arg("config"), &rcs, progressing.as_ref(), observe, Time::default());
    same_status(&got, row.result(0))
}

fn next_status(row: &Row<'_>) -> Outcome {
    let rc = row.arg("deployment");
    let now = Time::parse_rfc3339(rc["metadata"]["creationTimestamp"].as_str().unwrap_or_default());
    let mut pod = row.arg("pod").clone();
    // The recorded pods of some tests belong to another rollout, which is refused before a phase
    // is asked for.
    pod["metadata"]["annotations"][deployments::keys::DEPLOYMENT_NAME] =
        rc["metadata"]["name"].clone();
    let actions = plan(&Observed {
        rc,
        pod: Some(&pod),
        last_try: false,
        unowned: Vec::new(),
        now: now.unwrap_or_default(),
    });
    let become_phase = actions.iter().find_map(|action| match action {
        Action::Become(phase, _) => Some(*phase),
        _ => None,
    });
    if rollout::is_cancelled(rc) {
        return Outcome::Skip;
    }
    let got = become_phase.unwrap_or_else(|| Phase::of(rc));
    same(&json!(got.as_str()), row.result(0))
}

fn deployer(row: &Row<'_>) -> Outcome {
    let rc = row.arg("deployment");
    let config = rollout::decode_config(rc).expect("a rollout holds its config");
    if config["spec"]["strategy"]["type"] == "Custom" {
        return Outcome::Skip;
    }
    let got = deployer_pod::make(rc, &config);
    let shown = |pod: &Value| {
        // Image, account and the deployer's own environment are the server's configuration.
        let mut pod = bare(&without(
            pod,
            &["image", "serviceAccountName", "namespace", "kind", "apiVersion", "uid"],
        ));
        for container in pod["spec"]["containers"].as_array_mut().into_iter().flatten() {
            if let Some(env) = container["env"].as_array_mut() {
                env.retain(|variable| variable["name"] != "ENV1");
            }
        }
        pod
    };
    same_document(&shown(&got), &shown(row.result(0)))
}
