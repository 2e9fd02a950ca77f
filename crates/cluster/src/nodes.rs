//! Nodes from a file: Node objects as `oc get nodes -o yaml` prints them, or a short list.
//!
//! ```yaml
//! - name: master            # one node
//!   cpu: 4
//!   memory: 16Gi
//!   labels: {node-role.kubernetes.io/master: "true"}
//!   taints: [{key: node-role.kubernetes.io/master, effect: NoSchedule}]
//! - name: compute           # compute-1, compute-2, compute-3
//!   count: 3
//!   pods: 110
//! ```
//!
//! Invariant: names are unique, and every refusal says which node it is about.

use std::collections::BTreeSet;

use apimachinery::json;
use apimachinery::quantity::Quantity;
use apimachinery::yaml::load_documents;
use apimachinery::{ObjectExt as _, Value};
use node::NodeConfig;

/// Why a file of nodes is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is neither JSON nor YAML.
    #[error("{0}")]
    Syntax(String),
    /// Something stands there that is no node.
    #[error("node {0}: must be a Node or a map with a name")]
    Shape(usize),
    /// A field of the short form that means nothing.
    #[error("node {node:?}: unknown field {field:?}; there are {}", SHORT.join(", "))]
    Field {
        /// The node.
        node: String,
        /// The field.
        field: String,
    },
    /// A name that stands there twice.
    #[error("node {0:?} is there twice")]
    Twice(String),
    /// An amount that cannot be read.
    #[error("node {node:?}: {field} must be a quantity, not {value}")]
    Quantity {
        /// The node.
        node: String,
        /// The field.
        field: String,
        /// What stands there.
        value: String,
    },
    /// There is no node at all.
    #[error("no node is there")]
    None,
}

/// One node: what its agent is told, and the object that is there before the agent is.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSpec {
    /// For the agent.
    pub config: NodeConfig,
    /// Labels, annotations, taints and whether it is cordoned.
    pub object: Value,
}

/// Reads nodes.
///
/// # Errors
/// When the text cannot be read or a node makes no sense.
pub fn parse(text: &str) -> Result<Vec<NodeSpec>, Error> {
    let documents = load_documents(text).map_err(|error| Error::Syntax(error.to_string()))?;
    let mut entries = Vec::new();
    for document in documents {
        match document.value {
            Value::Array(list) => entries.extend(list),
            list if list.kind().ends_with("List") || list.get("items").is_some() => {
                entries.extend(list.list_at(&["items"]).iter().cloned());
            }
            node => entries.push(node),
        }
    }
    let mut specs = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let full = if entry.kind() == "Node" { entry.clone() } else { long_form(entry) };
        if full.name().is_empty() {
            return Err(Error::Shape(index + 1));
        }
        check_fields(entry)?;
        let count = entry.int_at(&["count"]).filter(|_| entry.kind() != "Node");
        match count {
            None => specs.push(spec(&full, specs.len() + 1)?),
            Some(count) => {
                for number in 1..=count {
                    let mut one = full.clone();
                    one.set(&["metadata", "name"], json!(format!("{}-{number}", full.name())));
                    specs.push(spec(&one, specs.len() + 1)?);
                }
            }
        }
    }
    let mut names = BTreeSet::new();
    match specs.iter().find(|spec| !names.insert(&spec.config.name)) {
        Some(spec) => Err(Error::Twice(spec.config.name.clone())),
        None if specs.is_empty() => Err(Error::None),
        None => Ok(specs),
    }
}

/// The fields of the short form.
const SHORT: [&str; 9] = [
    "name",
    "count",
    "cpu",
    "memory",
    "pods",
    "ephemeral-storage",
    "labels",
    "taints",
    "annotations",
];

/// Refuses what the short form does not have, so that nothing is misspelt without a word.
fn check_fields(entry: &Value) -> Result<(), Error> {
    let mut fields = entry.as_object().into_iter().flat_map(|entry| entry.keys());
    let known = |field: &str| SHORT.contains(&field) || field == "unschedulable";
    match fields.find(|field| entry.kind() != "Node" && !known(field.as_str())) {
        Some(field) => {
            let node = entry.str_at(&["name"]).to_owned();
            Err(Error::Field { node, field: field.to_string() })
        }
        None => Ok(()),
    }
}

/// The Node that a short entry means.
fn long_form(entry: &Value) -> Value {
    let part = |field: &str, default: Value| entry.get(field).cloned().unwrap_or(default);
    let mut capacity = json!({});
    for field in ["cpu", "memory", "pods", "ephemeral-storage"] {
        if let Some(amount) = entry.get(field) {
            capacity[field] = amount.clone();
        }
    }
    json!({
        "metadata": {
            "name": part("name", json!("")),
            "labels": part("labels", json!({})),
            "annotations": part("annotations", json!({})),
        },
        "spec": {
            "taints": part("taints", json!([])),
            "unschedulable": part("unschedulable", json!(false)),
        },
        "status": {"capacity": capacity},
    })
}

fn spec(node: &Value, number: usize) -> Result<NodeSpec, Error> {
    let mut config = NodeConfig::new(node.name(), &address(number));
    let given = node.labels().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let labels = given.map(|(key, value)| (key.to_string(), text(value)));
    let labels: std::collections::BTreeMap<String, String> = labels.collect();
    if !labels.keys().any(|key| key.starts_with("node-role.kubernetes.io/")) {
        config.labels.extend(labels);
    } else {
        config.labels = labels;
    }
    let amount = |field: &str| -> Result<Option<Quantity>, Error> {
        let capacity = node.at(&["status", "capacity", field]);
        let Some(value) = capacity.or_else(|| node.at(&["status", "allocatable", field])) else {
            return Ok(None);
        };
        let (name, field) = (node.name().to_owned(), field.to_owned());
        let bad = || Error::Quantity { node: name, field, value: value.to_string() };
        Quantity::from_json(value).map(Some).map_err(|_| bad())
    };
    if let Some(cpu) = amount("cpu")? {
        config.cpu = cpu.to_string();
    }
    if let Some(memory) = amount("memory")? {
        config.memory = memory.to_string();
    }
    if let Some(pods) = amount("pods")? {
        config.pods = u32::try_from(pods.value()).unwrap_or(u32::MAX);
    }
    let given = ["capacity", "allocatable"].map(|of| node.map_at(&["status", of]));
    let given = given.into_iter().flatten().flat_map(|amounts| amounts.keys());
    for field in given.filter(|field| !["cpu", "memory", "pods"].contains(&field.as_str())) {
        if let Some(quantity) = amount(field)? {
            config.others.insert(field.to_string(), quantity.to_string());
        }
    }
    let mut object = node::node_status::document(&config);
    for path in [["metadata", "annotations"], ["spec", "taints"], ["spec", "unschedulable"]] {
        let empty = |value: &&Value| match value {
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
            Value::Bool(on) => *on,
            _ => false,
        };
        if let Some(value) = node.at(&path).filter(empty) {
            object.set(&path, value.clone());
        }
    }
    Ok(NodeSpec { config, object })
}

/// The internal address of a node by its number.
pub(crate) fn address(number: usize) -> String {
    format!("127.0.{}.{}", number / 250, number % 250 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_forms_are_read() {
        let text = "- name: master\n  cpu: 2\n  memory: 8Gi\n  labels: {zone: a, rack: 1}\n  \
                    taints: [{key: k, effect: NoSchedule}]\n- name: compute\n  count: 2\n  pods: 110\n";
        let specs = parse(text).unwrap();
        let names: Vec<&str> = specs.iter().map(|spec| spec.config.name.as_str()).collect();
        assert_eq!(names, ["master", "compute-1", "compute-2"]);
        let master = &specs[0];
        assert_eq!((master.config.cpu.as_str(), master.config.memory.as_str()), ("2", "8Gi"));
        assert_eq!(master.config.labels["rack"], "1");
        assert_eq!(master.object["spec"]["taints"][0]["key"], "k");
        assert_eq!(specs[1].config.pods, 110);
        let node = json!({"kind": "Node", "metadata": {"name": "n", "labels":
            {"node-role.kubernetes.io/infra": "true"}}, "spec": {"unschedulable": true},
            "status": {"capacity": {"cpu": "16", "memory": "64Gi", "pods": "250",
                "ephemeral-storage": "50Gi", "example.org/tape": "2"}}});
        let specs = parse(&json!({"kind": "List", "items": [node]}).to_string()).unwrap();
        assert_eq!(specs[0].config.cpu, "16");
        assert_eq!(specs[0].object["spec"]["unschedulable"], true);
        let others = [("ephemeral-storage", "50Gi"), ("example.org/tape", "2")];
        let others = others.map(|(name, amount)| (name.to_owned(), amount.to_owned()));
        assert_eq!(specs[0].config.others, others.into_iter().collect());
        assert!(!specs[0].config.labels.contains_key("node-role.kubernetes.io/compute"));
    }

    #[test]
    fn what_is_no_node_is_refused() {
        assert_eq!(parse("[]"), Err(Error::None));
        assert_eq!(parse("- cpu: 4"), Err(Error::Shape(1)));
        let twice = parse("- name: a\n- name: a");
        assert_eq!(twice, Err(Error::Twice("a".to_owned())));
        let bad = parse("- {name: a, memory: lots}").unwrap_err().to_string();
        assert_eq!(bad, "node \"a\": memory must be a quantity, not \"lots\"");
        let bad = parse("- {name: a, cpus: 2}").unwrap_err().to_string();
        assert!(bad.starts_with("node \"a\": unknown field \"cpus\"; there are name,"), "{bad}");
    }
}
