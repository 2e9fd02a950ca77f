//! Explanations as people read them who have never seen a predicate.
//!
//! Invariant: the same explanation gives the same text, byte by byte.

use std::fmt::Write as _;

use scheduler::Outcome;
use scheduler::decision::{NodeScore, NodeVerdict};

use crate::explain::Explanation;
use crate::finding::Finding;
use crate::placement::{Placement, Refusal};

/// The most columns of a table: nodes that answer alike share one when there are more.
const COLUMNS: usize = 6;
/// The most nodes whose scores are shown.
const SCORED: usize = 5;

/// The whole answer.
#[must_use]
pub fn explanation(explanation: &Explanation) -> String {
    let mut text = String::new();
    let mut head = explanation.finding.clone();
    if explanation.placement.as_ref().is_some_and(|placement| !placement.help.is_empty()) {
        // What helps is said at the end.
        head.help.clear();
    }
    finding(&mut text, &head, 0);
    if let Some(placement) = &explanation.placement {
        text.push('\n');
        self::placement(&mut text, placement);
    }
    if let Some(note) = &explanation.note {
        let _ = writeln!(text, "\nnote: {note}.");
    }
    text
}

/// A finding alone, on as many lines as it needs.
#[must_use]
pub fn chain(of: &Finding) -> String {
    let mut text = String::new();
    finding(&mut text, of, 0);
    text
}

fn finding(text: &mut String, of: &Finding, depth: usize) {
    let indent = "  ".repeat(depth);
    let because = if depth == 0 { "" } else { "because " };
    let _ = writeln!(text, "{indent}{because}{} {}: {}", of.object, of.state.word(), of.says);
    for rule in &of.rules {
        let _ = writeln!(text, "{indent}    rule: {rule}.");
    }
    for help in &of.help {
        let _ = writeln!(text, "{indent}    what helps: {help}");
    }
    for cause in &of.because {
        finding(text, cause, depth + 1);
    }
}

fn placement(text: &mut String, of: &Placement) {
    headline(text, of);
    if !of.decision.verdicts.is_empty() {
        text.push_str("\nWhich nodes can take it? Every answer must be yes.\n\n");
        questions(text, of);
        refusals(text, of);
    }
    if !of.decision.scores.is_empty() {
        text.push_str(
            "\nWhich of them is best? Each point is worth 0 to 10, times its weight; the sum decides.\n\n",
        );
        scores(text, &of.decision.scores, of);
    }
    tie(text, of);
    if !of.help.is_empty() {
        text.push_str("\nWhat would help?\n\n");
        for help in &of.help {
            let _ = writeln!(text, "  - {help}");
        }
    }
}

fn headline(text: &mut String, of: &Placement) {
    let policy = if of.other_policy { "By the policy given" } else { "By the cluster's policy" };
    let revision = of.revision;
    let chosen = of.node();
    let line = match (&of.decision.outcome, &of.recorded) {
        (Outcome::Node(node), Some(recorded)) if node == recorded => {
            format!(
                "{policy} the scheduler chooses {node}, from the cluster as it stood at revision {revision}: where the pod went."
            )
        }
        (Outcome::Node(node), Some(recorded)) => {
            format!(
                "{policy} the scheduler would choose {node}, from the cluster as it stood at revision {revision}; the pod went to {recorded}."
            )
        }
        (Outcome::Node(node), None) => {
            format!(
                "{policy} the scheduler would choose {node}, from the cluster as it stands at revision {revision}."
            )
        }
        (Outcome::Unschedulable(_) | Outcome::Failed(_), None) if !of.other_policy => {
            format!(
                "{policy} it fits on no node, from the cluster as it stands at revision {revision}."
            )
        }
        (Outcome::Unschedulable(said) | Outcome::Failed(said), recorded) => {
            let went = recorded.as_ref().map(|node| format!(" The pod went to {node}."));
            let went = went.unwrap_or_default();
            format!(
                "{policy} no node can take it, from the cluster at revision {revision}: {said}{went}"
            )
        }
    };
    let _ = writeln!(text, "{line}");
    let only = of.decision.verdicts.iter().filter(|verdict| verdict.fits()).count() == 1;
    if let (Some(node), true) = (chosen, only) {
        let _ = writeln!(text, "Only {node} can take it, so nothing is compared.");
    }
}

/// Nodes that answer alike, by the first of them.
struct Column<'a> {
    head: String,
    verdict: &'a NodeVerdict,
    nodes: Vec<&'a str>,
}

fn columns(verdicts: &[NodeVerdict]) -> Vec<Column<'_>> {
    let mut columns: Vec<Column<'_>> = Vec::new();
    let apart = verdicts.len() <= COLUMNS;
    for verdict in verdicts {
        let alike =
            columns.iter_mut().find(|it| !apart && it.verdict.predicates == verdict.predicates);
        match alike {
            Some(column) => column.nodes.push(&verdict.node),
            None => {
                columns.push(Column { head: String::new(), verdict, nodes: vec![&verdict.node] });
            }
        }
    }
    for column in &mut columns {
        column.head = match column.nodes.len() {
            1 => column.verdict.node.clone(),
            more => format!("{} +{}", column.verdict.node, more - 1),
        };
    }
    columns
}

fn questions(text: &mut String, of: &Placement) {
    let all = columns(&of.decision.verdicts);
    let shown = &all[..all.len().min(COLUMNS)];
    let width = |column: &Column<'_>| column.head.len().max(3);
    text.push_str("  ");
    for column in shown {
        let _ = write!(text, "{:width$}  ", column.head, width = width(column));
    }
    text.push_str("question (predicate)\n");
    for (place, rule) in of.predicates.iter().enumerate() {
        text.push_str("  ");
        for column in shown {
            let answer = column.verdict.predicates.get(place).map_or("", |asked| {
                if asked.error.is_some() {
                    "???"
                } else if asked.reasons.is_empty() {
                    "yes"
                } else {
                    "NO"
                }
            });
            let _ = write!(text, "{answer:width$}  ", width = width(column));
        }
        let _ = writeln!(text, "{} ({})", rule.means, rule.name);
    }
    for column in shown.iter().filter(|column| column.nodes.len() > 1) {
        let names = column.nodes.iter().take(12).copied().collect::<Vec<_>>().join(", ");
        let rest = if column.nodes.len() > 12 { ", …" } else { "" };
        let _ = writeln!(text, "\n  {} stands for {names}{rest}", column.head);
    }
    if all.len() > shown.len() {
        let _ = writeln!(
            text,
            "\n  and {} more kinds of answer; -o json has all",
            all.len() - shown.len()
        );
    }
}

/// Every reason once a kind of node, with figures.
fn refusals(text: &mut String, of: &Placement) {
    let heads = columns(&of.decision.verdicts);
    let told = heads.iter().take(COLUMNS).flat_map(|column| {
        let own = of.refusals.iter().filter(|refusal| refusal.node == column.verdict.node);
        own.map(|refusal| (&column.head, refusal))
    });
    let told: Vec<(&String, &Refusal)> = told.collect();
    if told.is_empty() {
        return;
    }
    text.push_str("\nWhy not?\n\n");
    let width = told.iter().map(|(head, _)| head.len()).max().unwrap_or(0);
    for (head, refusal) in told {
        let detail = match refusal.detail.as_str() {
            "" => String::new(),
            detail => format!(" ({detail})"),
        };
        let _ =
            writeln!(text, "  {head:width$}  {}: {}{detail}", refusal.predicate, refusal.reason);
    }
}

fn scores(text: &mut String, scores: &[NodeScore], of: &Placement) {
    let shown = &scores[..scores.len().min(SCORED)];
    let cells = |place: usize| {
        shown.iter().map(move |node| {
            let Some(score) = node.priorities.get(place) else { return String::new() };
            match score.weight {
                1 => score.score.to_string(),
                weight => format!("{}×{weight}", score.score),
            }
        })
    };
    let longest = |column: usize| {
        let rows = (0..of.priorities.len()).filter_map(|place| cells(place).nth(column));
        let head = shown[column].node.len().max(shown[column].total.to_string().len());
        rows.map(|cell| cell.chars().count()).max().unwrap_or(0).max(head)
    };
    let widths: Vec<usize> = (0..shown.len()).map(longest).collect();
    let line = |text: &mut String, cells: Vec<String>, last: &str| {
        text.push_str("  ");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(text, "{cell:>width$}  ");
        }
        text.push_str(last);
        text.push('\n');
    };
    line(text, shown.iter().map(|node| node.node.clone()).collect(), "what is liked (priority)");
    for (place, rule) in of.priorities.iter().enumerate() {
        line(text, cells(place).collect(), &format!("{} ({})", rule.means, rule.name));
    }
    line(text, shown.iter().map(|node| node.total.to_string()).collect(), "sum");
    if scores.len() > shown.len() {
        let _ = writeln!(
            text,
            "\n  and {} nodes that score no better; -o json has all",
            scores.len() - shown.len()
        );
    }
}

fn tie(text: &mut String, of: &Placement) {
    let Some(tie) = &of.decision.tie_break else { return };
    let Some(winner) = tie.nodes.get(tie.index) else { return };
    let best = of.decision.scores.first().map_or(0, |score| score.total);
    if tie.nodes.len() == 1 {
        let _ = writeln!(text, "\n{winner} has the best sum, {best}, alone.");
        return;
    }
    let names = tie.nodes.iter().take(12).cloned().collect::<Vec<_>>().join(", ");
    let rest = if tie.nodes.len() > 12 { ", …" } else { "" };
    let _ = writeln!(
        text,
        "\nTie: {} nodes share the best sum, {best}, and take turns: {names}{rest}.\n\
         The scheduler counts its ties: this was number {}. {} divided by {} leaves {}, and in the \
         list, counted from 0, that is {winner}.",
        tie.nodes.len(),
        tie.turn,
        tie.turn,
        tie.nodes.len(),
        tie.index
    );
}
