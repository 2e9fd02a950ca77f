//! `MatchNodeSelector`: `spec.nodeSelector` and the required part of the node affinity.

use std::collections::BTreeSet;

use apimachinery::selector::{LabelSelector, Operator, Requirement};
use apimachinery::{ObjectExt as _, Value};
use serde_json::Map;

use crate::pod::from_map;
use crate::predicates::{Answer, Predicate, Reason, Request, unless};
use crate::snapshot::NodeInfo;

const REASON: Reason = Reason::fixed("node(s) didn't match node selector");

#[derive(Debug)]
pub(super) struct MatchNodeSelector;

impl Predicate for MatchNodeSelector {
    fn name(&self) -> &str {
        self.rule()
    }

    fn rule(&self) -> &'static str {
        "MatchNodeSelector"
    }

    fn check(&self, request: &Request<'_>, node: &NodeInfo) -> Answer {
        let spec = request.pod.pod.at(&["spec"]).unwrap_or(&Value::Null);
        let labels = node.labels();
        let selected = from_map(spec.map_at(&["nodeSelector"]))
            .is_none_or(|selector| selector.matches(labels));
        let path = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
        let wanted = spec.at(&path).filter(|required| !required.is_null());
        let attracted = wanted.is_none_or(|required| {
            let mut terms = required.list_at(&["nodeSelectorTerms"]).iter();
            terms.any(|term| term_matches(term, labels, &node.name))
        });
        unless(selected && attracted, &REASON)
    }
}

/// Whether all of a term holds for a node. A term that says nothing holds for none.
pub(crate) fn term_matches(term: &Value, labels: Option<&Map<String, Value>>, name: &str) -> bool {
    let expressions = term.list_at(&["matchExpressions"]);
    let fields = term.list_at(&["matchFields"]);
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    let named = Map::from_iter([("metadata.name".to_owned(), Value::from(name))]);
    all_match(expressions, labels) && all_match(fields, Some(&named))
}

/// Whether labels fulfil all of a node selector's expressions; one that is malformed holds for none.
pub(crate) fn all_match(expressions: &[Value], labels: Option<&Map<String, Value>>) -> bool {
    let requirements: Option<Vec<Requirement>> = expressions.iter().map(requirement).collect();
    requirements.is_some_and(|requirements| LabelSelector::new(requirements).matches(labels))
}

fn requirement(expression: &Value) -> Option<Requirement> {
    let operator = match expression.str_at(&["operator"]) {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::GreaterThan,
        "Lt" => Operator::LessThan,
        _ => return None,
    };
    let values = expression.list_at(&["values"]).iter().filter_map(Value::as_str);
    let values: BTreeSet<String> = values.map(str::to_owned).collect();
    Requirement::new(expression.str_at(&["key"]), operator, values).ok()
}
