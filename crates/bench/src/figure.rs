//! What a figure is, how it is summed up from repetitions, and how it is printed.
//!
//! Invariant: a figure is never adjusted; what was measured is printed next to what is aimed at.

use std::time::Duration;

use apimachinery::{Value, json};

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Measured {
    /// So much of a unit.
    Number(f64),
    /// Whether something holds.
    Fact(bool),
}

/// What the project aims at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// This much or more.
    AtLeast(f64),
    /// Less than this.
    Below(f64),
    /// It holds.
    Holds,
}

/// Someone else's program doing the same work on the same machine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Peer {
    /// Which program.
    pub(crate) name: String,
    /// Its value, in the figure's unit.
    pub(crate) value: f64,
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    name: &'static str,
    measured: Measured,
    unit: &'static str,
    target: Option<Target>,
    peer: Option<Peer>,
}

impl Figure {
    /// A figure with a number.
    pub(crate) fn number(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, measured: Measured::Number(value), unit, target: None, peer: None }
    }

    /// A figure that says whether something holds.
    pub(crate) fn fact(name: &'static str, holds: bool) -> Self {
        let measured = Measured::Fact(holds);
        Self { name, measured, unit: "", target: Some(Target::Holds), peer: None }
    }

    /// Says what is aimed at.
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Says what someone else's program needed.
    pub(crate) fn peer(mut self, peer: Peer) -> Self {
        self.peer = Some(peer);
        self
    }

    /// One line of text, or of JSON.
    pub(crate) fn line(&self, json: bool) -> String {
        if json { self.json().to_string() } else { self.text() }
    }

    fn text(&self) -> String {
        let value = match self.measured {
            Measured::Number(value) => format!("{} {}", rounded(value), self.unit),
            Measured::Fact(holds) => if holds { "yes" } else { "no" }.to_owned(),
        };
        let target = self.target.map_or_else(String::new, |target| {
            let met = if self.met() == Some(true) { "met" } else { "MISSED" };
            format!("target {} ({met})", target.text())
        });
        let peer = self.peer.as_ref().map_or_else(String::new, |peer| {
            let ratio = self.ratio(peer);
            format!("  peer {} {} {}, ratio {ratio:.2}", peer.name, rounded(peer.value), self.unit)
        });
        format!("{:<34} {value:>18}  {target}{peer}", self.name).trim_end().to_owned()
    }

    fn json(&self) -> Value {
        let value = match self.measured {
            Measured::Number(value) => json!(value),
            Measured::Fact(holds) => json!(holds),
        };
        let mut object = json!({"name": self.name, "value": value, "unit": self.unit});
        if let Some(target) = self.target {
            object["target"] = json!(target.text());
            object["met"] = json!(self.met());
        }
        if let Some(peer) = &self.peer {
            object["peer"] = json!({"name": peer.name, "value": peer.value});
            object["ratio"] = json!(self.ratio(peer));
        }
        object
    }

    fn met(&self) -> Option<bool> {
        Some(match (self.target?, self.measured) {
            (Target::AtLeast(least), Measured::Number(value)) => value >= least,
            (Target::Below(bound), Measured::Number(value)) => value < bound,
            (_, Measured::Fact(holds)) => holds,
            (Target::Holds, Measured::Number(_)) => false,
        })
    }

    fn ratio(&self, peer: &Peer) -> f64 {
        match self.measured {
            Measured::Number(value) => value / peer.value,
            Measured::Fact(_) => f64::NAN,
        }
    }
}

impl Target {
    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {}", rounded(least)),
            Self::Below(bound) => format!("< {}", rounded(bound)),
            Self::Holds => "yes".to_owned(),
        }
    }
}

/// Three digits that count, without an exponent.
fn rounded(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

/// The middle of `values`; of an even number the upper of the two.
///
/// # Panics
/// When there are none.
pub(crate) fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("measured values compare"));
    values[values.len() / 2]
}

/// `count` things in `took`, per second.
pub(crate) fn per_second(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

/// `took` in milliseconds.
pub(crate) fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// `took` in microseconds.
pub(crate) fn microseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_value_unit_and_target() {
        let figure = Figure::number("store.puts", 412_345.6, "puts/s");
        assert_eq!(figure.text(), "store.puts                              412346 puts/s");
        let figure = figure.target(Target::AtLeast(300_000.0));
        assert!(figure.text().ends_with("  target >= 300000 (met)"), "{}", figure.text());
        let slow = Figure::number("x", 12.34, "ms").target(Target::Below(10.0));
        assert!(slow.text().ends_with("12.3 ms  target < 10.0 (MISSED)"), "{}", slow.text());
        let json =
            json!({"name": "x", "value": 12.34, "unit": "ms", "target": "< 10.0", "met": false});
        assert_eq!(slow.json(), json);
        assert!(Figure::fact("y", true).text().ends_with("yes  target yes (met)"));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3, 1, 2]), 2);
        assert_eq!(median(vec![4.0, 1.0]), 4.0);
    }
}
