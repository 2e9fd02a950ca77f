//! Service accounts: every pod runs as one, and every namespace has the three of OpenShift.
//!
//! The plugin gives a pod its account, the volume with the account's token and the account's pull
//! secrets. [`accounts`] makes the accounts of a namespace, [`credentials`] their secrets, [`token`]
//! reads and writes tokens, [`token_request`] serves `serviceaccounts/token`.
//!
//! Deviation: a pod that comes before the controllers made one of the managed accounts (or its token)
//! does not wait and fail: the plugin makes them on the spot, by the controllers' own code.
//!
//! Mirrors: `kubernetes/plugin/pkg/admission/serviceaccount`.

pub mod accounts;
pub mod credentials;
pub mod token;
pub mod token_request;

use std::sync::Arc;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Reason, Status, Value};
use apiserver::{Admission, AdmissionRequest, Client, User};

use self::credentials::Settings;
use crate::pod::{LISTS, containers_mut, list_mut};
use crate::request::{creates, find, refuse};

const DEFAULT: &str = "default";
const MIRROR: &str = "kubernetes.io/config.mirror";
const ENFORCE_MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Admission of pods: `ServiceAccount`.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// How credentials are made.
    pub settings: Arc<Settings>,
}

impl Admission for ServiceAccount {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !creates(request, &api::PODS) {
            return Ok(());
        }
        if request.object.annotation(MIRROR).is_some() {
            return check_mirror(request);
        }
        if request.object.str_at(&["spec", "serviceAccountName"]).is_empty() {
            request.object.set(&["spec", "serviceAccountName"], json!(DEFAULT));
            request.object.set(&["spec", "serviceAccount"], json!(DEFAULT));
        }
        let account = self.account(request)?;
        if account.annotation(ENFORCE_MOUNTABLE).is_some_and(is_true) {
            check_references(&account, request.object).map_err(|text| refuse(request, &text))?;
        }
        if automounts(&account, request.object) {
            let token = self.token(request, &account)?;
            mount(request.object, &token, || request.server.world().name_suffix(5));
        }
        if request.object.list_at(&["spec", "imagePullSecrets"]).is_empty()
            && let Some(secrets) = account.get("imagePullSecrets")
        {
            request.object.set(&["spec", "imagePullSecrets"], secrets.clone());
        }
        Ok(())
    }
}

impl ServiceAccount {
    /// The pod's account; a managed one is made when it is missing.
    fn account(&self, request: &AdmissionRequest<'_>) -> Result<Arc<Value>, Status> {
        let ns = request.call.namespace;
        let name = request.object.str_at(&["spec", "serviceAccountName"]);
        let found = find(request.server, &api::SERVICE_ACCOUNTS, ns, name);
        if let Some(account) = found {
            return Ok(account);
        }
        if self.settings.managed.iter().any(|managed| managed == name)
            && !request.call.options.dry_run
        {
            let client = Client::new(request.server.clone(), User::system_admin());
            return accounts::ensure(&client, &self.settings, ns, name);
        }
        let text = format!(
            "error looking up service account {ns}/{name}: serviceaccount {name:?} not found"
        );
        Err(refuse(request, &text))
    }

    /// The name of the account's token secret.
    fn token(&self, request: &AdmissionRequest<'_>, account: &Value) -> Result<String, Status> {
        if let Some(token) = credentials::referenced_token(request.server, account) {
            return Ok(token);
        }
        if !request.call.options.dry_run {
            let client = Client::new(request.server.clone(), User::system_admin());
            let account = credentials::ensure(&client, &self.settings, account)?;
            if let Some(token) = credentials::referenced_token(request.server, &account) {
                return Ok(token);
            }
        }
        let mut status = Status::new(
            Reason::ServerTimeout,
            format!(
                "No API token found for service account {:?}, retry after the token is automatically \
                 created and added to the service account",
                account.name()
            ),
        );
        status.details =
            json!({"name": "create pod", "kind": "serviceaccounts", "retryAfterSeconds": 1});
        Err(status)
    }
}

/// Pods that a kubelet mirrors bring everything along.
fn check_mirror(request: &AdmissionRequest<'_>) -> Result<(), Status> {
    if !request.object.str_at(&["spec", "serviceAccountName"]).is_empty() {
        return Err(refuse(request, "a mirror pod may not reference service accounts"));
    }
    let volumes = request.object.list_at(&["spec", "volumes"]);
    if volumes.iter().any(|volume| volume.get("secret").is_some()) {
        return Err(refuse(request, "a mirror pod may not reference secrets"));
    }
    Ok(())
}

/// As Go's `strconv.ParseBool`.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

fn automounts(account: &Value, pod: &Value) -> bool {
    let own = pod.at(&["spec", "automountServiceAccountToken"]).and_then(Value::as_bool);
    let of_account = account.get("automountServiceAccountToken").and_then(Value::as_bool);
    own.or(of_account).unwrap_or(true)
}

/// Adds the token's volume and its mounts where a container has none at the well-known path.
fn mount(pod: &mut Value, secret: &str, suffix: impl Fn() -> String) {
    let volumes = pod.list_at(&["spec", "volumes"]);
    let holds = |volume: &&Value| volume.str_at(&["secret", "secretName"]) == secret;
    let existing = volumes.iter().find(holds).map(|volume| volume.str_at(&["name"]).to_owned());
    let taken = volumes.iter().any(|volume| volume.str_at(&["name"]) == secret);
    let add = existing.is_none();
    let name = existing.unwrap_or_else(|| {
        if taken { format!("{secret}-{}", suffix()) } else { secret.to_owned() }
    });
    let mut mounted = false;
    for list in LISTS {
        for container in containers_mut(pod, list) {
            let at = |mount: &Value| mount.str_at(&["mountPath"]) == MOUNT_PATH;
            if container.list_at(&["volumeMounts"]).iter().any(at) {
                continue;
            }
            let mount = json!({"name": name, "readOnly": true, "mountPath": MOUNT_PATH});
            list_mut(container, &["volumeMounts"]).push(mount);
            mounted = true;
        }
    }
    if add && mounted {
        let volume = json!({"name": name, "secret": {"secretName": secret, "defaultMode": 420}});
        list_mut(pod, &["spec", "volumes"]).push(volume);
    }
}

/// What an account with the annotation lets its pods use.
fn check_references(account: &Value, pod: &Value) -> Result<(), String> {
    let named = |field: &str| -> Vec<&str> {
        account.list_at(&[field]).iter().map(|entry| entry.str_at(&["name"])).collect()
    };
    let (mountable, name) = (named("secrets"), account.name());
    for volume in pod.list_at(&["spec", "volumes"]) {
        let secret = volume.str_at(&["secret", "secretName"]);
        if volume.get("secret").is_some() && !mountable.contains(&secret) {
            return Err(format!(
                "volume with secret.secretName={secret:?} is not allowed because service account \
                 {name} does not reference that secret"
            ));
        }
    }
    for (list, what) in [("initContainers", "init container"), ("containers", "container")] {
        for container in pod.list_at(&["spec", list]) {
            for variable in container.list_at(&["env"]) {
                let secret = variable.str_at(&["valueFrom", "secretKeyRef", "name"]);
                if !secret.is_empty() && !mountable.contains(&secret) {
                    return Err(format!(
                        "{what} {} with envVar {} referencing secret.secretName={secret:?} is not \
                         allowed because service account {name} does not reference that secret",
                        container.str_at(&["name"]),
                        variable.str_at(&["name"]),
                    ));
                }
            }
        }
    }
    let pullable = named("imagePullSecrets");
    for (index, secret) in pod.list_at(&["spec", "imagePullSecrets"]).iter().enumerate() {
        let secret = secret.str_at(&["name"]);
        if !pullable.contains(&secret) {
            return Err(format!(
                "imagePullSecrets[{index}].name={secret:?} is not allowed because service account \
                 {name} does not reference that imagePullSecret"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_mounted_where_nothing_is_mounted_yet() {
        let own = json!([{"name": "mine", "mountPath": MOUNT_PATH}]);
        let mut pod = json!({"spec": {"containers": [{"name": "a"}, {"name": "b", "volumeMounts": own}],
            "initContainers": [{"name": "i"}]}});
        mount(&mut pod, "default-token-x", String::new);
        assert_eq!(pod["spec"]["volumes"][0]["name"], "default-token-x");
        let mounts = |list: &str, at: usize| pod["spec"][list][at]["volumeMounts"].clone();
        let expected =
            json!([{"name": "default-token-x", "readOnly": true, "mountPath": MOUNT_PATH}]);
        assert_eq!(mounts("containers", 0), expected);
        assert_eq!(mounts("initContainers", 0), expected);
        assert_eq!(mounts("containers", 1), own);
    }

    #[test]
    fn a_volume_of_the_token_is_used_again() {
        let volumes = json!([{"name": "v", "secret": {"secretName": "t"}}, {"name": "u"}]);
        let mut pod = json!({"spec": {"containers": [{"name": "a"}], "volumes": volumes}});
        mount(&mut pod, "t", String::new);
        assert_eq!(pod["spec"]["volumes"], volumes);
        assert_eq!(pod["spec"]["containers"][0]["volumeMounts"][0]["name"], "v");
        mount(&mut json!({"spec": {}}), "t", String::new);
    }

    #[test]
    fn an_enforcing_account_refuses_foreign_secrets() {
        let account = json!({"metadata": {"name": "sa"}, "secrets": [{"name": "ok"}]});
        let check = |spec: Value| check_references(&account, &json!({"spec": spec}));
        assert_eq!(check(json!({"volumes": [{"secret": {"secretName": "ok"}}]})), Ok(()));
        assert_eq!(
            check(json!({"volumes": [{"secret": {"secretName": "no"}}]})).unwrap_err(),
            "volume with secret.secretName=\"no\" is not allowed because service account sa does not reference that secret"
        );
        let env = json!([{"name": "E", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k"}}}]);
        assert_eq!(
            check(json!({"containers": [{"name": "c", "env": env}]})).unwrap_err(),
            "container c with envVar E referencing secret.secretName=\"no\" is not allowed because service account sa does not reference that secret"
        );
        assert_eq!(
            check(json!({"imagePullSecrets": [{"name": "ok"}]})).unwrap_err(),
            "imagePullSecrets[0].name=\"ok\" is not allowed because service account sa does not reference that imagePullSecret"
        );
    }
}
