//! The kubeconfig of `rehearse up`: a context for each cluster, beside those of other processes that
//! are up.
//!
//! Invariant: a file that someone else wrote is never touched.
//! Invariant: what another process wrote stays for as long as its cluster answers.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::http::kubeconfig;

/// The first line of a kubeconfig that is ours to replace.
const MARK: &str = "# Written by rehearse up; replaced at its next start.\n";
/// The extension by which a cluster is known to be ours when `kubectl config` or `oc` has written the
/// file anew, which they do without comments.
const EXTENSION: &str = "rehearse";
/// How long a cluster on this machine may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// Refuses a file that someone else wrote: it may hold the only copy of their credentials.
pub(super) fn refuse_foreign(path: &Path) -> Result<()> {
    read_own(path).map(drop)
}

/// The text of a file of ours; nothing when there is none.
fn read_own(path: &Path) -> Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) if !is_own(&text) => bail!(
            "{} exists and was not written by this program; name another file with --kubeconfig",
            path.display()
        ),
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn is_own(text: &str) -> bool {
    let ours = |cluster: &Value| {
        let mut extensions = cluster.list_at(&["cluster", "extensions"]).iter();
        extensions.any(|extension| extension.str_at(&["name"]) == EXTENSION)
    };
    let config = parse(text);
    let clusters = config.list_at(&["clusters"]);
    text.starts_with(MARK) || !clusters.is_empty() && clusters.iter().all(ours)
}

/// Writes the contexts of `clusters`, each a name, if it has one, and the kubeconfig of its server.
pub(super) fn write(path: &Path, clusters: &[(Option<&str>, &str)]) -> Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let cannot = || format!("cannot write {}", path.display());
    // Two processes that start at once take turns.
    let turn = File::open(directory.unwrap_or_else(|| Path::new("."))).with_context(cannot)?;
    turn.lock().with_context(cannot)?;
    let others = parse(&read_own(path)?);
    let own = clusters.iter().map(|(name, text)| named(parse(text), *name)).collect();
    let merged = merge(&others, own, &answers);
    let text = serde_yaml::to_string(&merged).with_context(cannot)?;
    kubeconfig::write(path, &format!("{MARK}{text}")).with_context(cannot)
}

/// A kubeconfig as a document; one that is broken has nothing in it.
fn parse(text: &str) -> Value {
    let documents = apimachinery::yaml::load_documents(text).unwrap_or_default();
    documents.into_iter().next().map(|document| document.value).unwrap_or_default()
}

/// The kubeconfig of one server, marked as ours, with its context and its cluster called `name`.
fn named(mut config: Value, name: Option<&str>) -> Value {
    if let Some(cluster) = config.pointer_mut("/clusters/0/cluster") {
        let told = json!({"note": "replaced when rehearse up starts"});
        cluster["extensions"] = json!([{"name": EXTENSION, "extension": told}]);
    }
    let Some(name) = name else { return config };
    let user = config.pointer("/users/0/name").and_then(Value::as_str).unwrap_or_default();
    let user = format!("{}/{name}", user.split('/').next().unwrap_or_default());
    for (list, name) in [("clusters", name), ("contexts", name), ("users", &user)] {
        if let Some(entry) = config.pointer_mut(&format!("/{list}/0/name")) {
            *entry = json!(name);
        }
    }
    if let Some(context) = config.pointer_mut("/contexts/0/context") {
        context["cluster"] = json!(name);
        context["user"] = json!(user);
    }
    config["current-context"] = json!(name);
    config
}

/// All contexts of `own`, the first being the current one, and those of `others` with other names
/// whose clusters answer.
fn merge(others: &Value, own: Vec<Value>, answers: &dyn Fn(&str) -> bool) -> Value {
    let mut own = own.into_iter();
    let mut merged = own.next().unwrap_or_default();
    for config in own {
        take_in(&mut merged, &config, &|_| true);
    }
    take_in(&mut merged, others, answers);
    merged
}

fn take_in(into: &mut Value, config: &Value, wanted: &dyn Fn(&str) -> bool) {
    let entry = |of: &Value, list: &str, name: &str| {
        of.list_at(&[list]).iter().find(|entry| entry.str_at(&["name"]) == name).cloned()
    };
    for context in config.list_at(&["contexts"]) {
        let of = |field: &str| context.str_at(&["context", field]);
        let (cluster, user) =
            (entry(config, "clusters", of("cluster")), entry(config, "users", of("user")));
        let (Some(cluster), Some(user)) = (cluster, user) else { continue };
        let taken = entry(into, "contexts", context.str_at(&["name"])).is_some()
            || entry(into, "clusters", of("cluster")).is_some();
        if taken || !wanted(cluster.str_at(&["cluster", "server"])) {
            continue;
        }
        for (list, entry) in [("clusters", cluster), ("contexts", context.clone()), ("users", user)]
        {
            if let Some(list) = into[list].as_array_mut() {
                list.push(entry);
            }
        }
    }
}

/// Whether something listens at the address of `server`.
fn answers(server: &str) -> bool {
    let address = server.strip_prefix("https://").unwrap_or_default();
    let address: Result<SocketAddr, _> = address.trim_end_matches('/').parse();
    address.is_ok_and(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
}

#[cfg(test)]
mod tests {
    use apiserver::http::kubeconfig::{Credential, Kubeconfig};

    use super::*;

    fn of(port: u16) -> String {
        let server = format!("https://127.0.0.1:{port}");
        let credential = Credential::Token("secret");
        Kubeconfig {
            server: &server,
            authority: "CA",
            user: "system:admin",
            credential,
            namespace: "default",
        }
        .render()
    }

    /// Context, server and user of every context, the current one marked.
    fn told(config: &Value) -> Vec<String> {
        let contexts = config.list_at(&["contexts"]).iter();
        let line = |context: &Value| {
            let name = context.str_at(&["name"]);
            let mark = if config.str_at(&["current-context"]) == name { "*" } else { "" };
            let of = |field: &str| context.str_at(&["context", field]).to_owned();
            let cluster = config.list_at(&["clusters"]).iter();
            let server = cluster.filter(|one| one.str_at(&["name"]) == of("cluster"));
            let servers: Vec<_> = server.map(|one| one.str_at(&["cluster", "server"])).collect();
            let users = config.list_at(&["users"]).iter();
            let users = users.filter(|one| one.str_at(&["name"]) == of("user")).count();
            format!("{mark}{name} {} {}x{users}", servers.join(","), of("user"))
        };
        contexts.map(line).collect()
    }

    #[test]
    fn each_named_cluster_has_a_context_of_its_name() {
        let own = [(1, "dev"), (2, "prod")];
        let own = own.map(|(port, name)| named(parse(&of(port)), Some(name)));
        let merged = merge(&Value::Null, own.to_vec(), &|_| true);
        assert_eq!(
            told(&merged),
            [
                "*dev https://127.0.0.1:1 system:admin/devx1",
                "prod https://127.0.0.1:2 system:admin/prodx1",
            ]
        );
    }

    #[test]
    fn a_cluster_without_a_name_is_called_as_oc_would() {
        let merged = merge(&Value::Null, vec![named(parse(&of(1)), None)], &|_| true);
        assert_eq!(
            told(&merged),
            ["*default/127-0-0-1:1/system:admin https://127.0.0.1:1 system:admin/127-0-0-1:1x1"]
        );
    }

    #[test]
    fn contexts_of_others_stay_while_they_answer() {
        let others = [(1, "gone"), (2, "there"), (3, "dev")];
        let others = others.map(|(port, name)| named(parse(&of(port)), Some(name))).to_vec();
        let others = merge(&Value::Null, others, &|_| true);
        let own = vec![named(parse(&of(4)), Some("dev"))];
        let merged = merge(&others, own, &|server| !server.ends_with(":1"));
        assert_eq!(
            told(&merged),
            [
                "*dev https://127.0.0.1:4 system:admin/devx1",
                "there https://127.0.0.1:2 system:admin/therex1",
            ]
        );
    }

    #[test]
    fn a_file_of_someone_else_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        std::fs::write(&path, "apiVersion: v1\n").unwrap();
        assert!(refuse_foreign(&path).unwrap_err().to_string().contains("was not written by this"));
        assert!(write(&path, &[(None, &of(1))]).is_err());
        let path = directory.path().join("own");
        write(&path, &[(Some("dev"), &of(1))]).unwrap();
        assert!(refuse_foreign(&path).is_ok());
        write(&path, &[(Some("prod"), &of(2))]).unwrap();
        assert_eq!(told(&parse(&std::fs::read_to_string(&path).unwrap())).len(), 1);
    }

    #[test]
    fn a_file_that_kubectl_wrote_anew_is_still_ours() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("own");
        write(&path, &[(None, &of(1))]).unwrap();
        let config = parse(&std::fs::read_to_string(&path).unwrap());
        let rewrite =
            |config: &Value| std::fs::write(&path, serde_yaml::to_string(config).unwrap());
        rewrite(&config).unwrap();
        assert!(refuse_foreign(&path).is_ok());
        // Not when there is something of someone else in it.
        let mut mixed = config;
        let other = json!({"name": "other", "cluster": {"server": "https://other.example"}});
        mixed["clusters"].as_array_mut().unwrap().push(other);
        rewrite(&mixed).unwrap();
        assert!(refuse_foreign(&path).is_err());
    }
}
