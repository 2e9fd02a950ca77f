//! A rollout as a table for a terminal.
//!
//! Invariant: pure.

use std::fmt::Write as _;

use super::Rollout;

/// The whole story.
#[must_use]
pub fn text(rollout: &Rollout) -> String {
    let mut text = heading(rollout);
    text.push('\n');
    let rows = rollout.moments.iter().map(|moment| {
        [
            format!("{}s", moment.after),
            moment.who.clone(),
            moment.old.to_string(),
            moment.new.to_string(),
            format!("{}+{}", moment.old_ready, moment.new_ready),
            moment.what.clone(),
        ]
    });
    let head = ["AFTER", "WHO", "OLD", "NEW", "READY", "WHAT"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let [after, who, old, new, ready, _] = std::array::from_fn(width);
    for row in &rows {
        let [a, b, c, d, e, what] = row;
        let line = format!("{a:>after$}  {b:<who$}  {c:>old$}  {d:>new$}  {e:>ready$}  {what}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What the rollout was and how it ended.
#[must_use]
pub fn heading(rollout: &Rollout) -> String {
    let mut text = String::new();
    let (subject, version) = (rollout.subject(), rollout.version);
    // Writing to a string cannot fail.
    let _ =
        writeln!(text, "{subject} rollout #{version}, {}: {}", rollout.strategy, outcome(rollout));
    let _ = writeln!(text, "why: {}", rollout.why);
    for moved in rollout.moves() {
        let _ = writeln!(text, "who: {moved}");
    }
    for image in &rollout.images {
        let _ = writeln!(text, "image: {image}");
    }
    let _ = writeln!(text, "began: {}", rollout.began);
    text
}

/// How far it got.
#[must_use]
pub fn outcome(rollout: &Rollout) -> String {
    let phase = match rollout.phase.as_str() {
        "Complete" => "complete",
        "Failed" => "failed",
        "Running" => "is running",
        "Pending" => "is pending",
        _ => "has begun",
    };
    let took = rollout.took.as_ref().map(|took| format!(" after {took} s")).unwrap_or_default();
    let reason = &rollout.reason;
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    format!("{phase}{took}{reason}")
}
