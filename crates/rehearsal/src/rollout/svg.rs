//! A rollout as a picture: old and new replicas over time, phases, hooks and numbered steps.
//!
//! Old pods stand on top of new ones, so that the upper edge is all there is: what is ready is filled,
//! what is asked for outlined. The edge of what is filled must not fall under the dotted line. The
//! picture carries its own light and dark colours and a description for those who cannot see it; old
//! and new differ in dashes as well as in colour.
//!
//! Invariant: pure; a well-formed document without scripts, fonts or anything fetched.

use std::fmt::Write as _;

use super::{Kind, Moment, Rollout, text};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 936.0;
const TOP: f64 = 112.0;
const BOTTOM: f64 = 332.0;
const LANE: f64 = 18.0;
/// The most steps that are listed beside the chart.
const MOST_STEPS: usize = 40;

const STYLE: &str = "\
svg{--bg:#ffffff;--ink:#1f2328;--soft:#59636e;--grid:#d8dee4;--old:#9a6700;--new:#0969da;--ok:#1a7f37;--bad:#cf222e;\
font:13px system-ui,-apple-system,'Segoe UI',sans-serif}\
@media(prefers-color-scheme:dark){svg{--bg:#0d1117;--ink:#e6edf3;--soft:#9198a1;--grid:#30363d;--old:#d29922;\
--new:#58a6ff;--ok:#3fb950;--bad:#f85149}}\
text{fill:var(--ink)}.soft{fill:var(--soft)}.h{font-size:17px;font-weight:600}.num{font-size:11px}\
.bg{fill:var(--bg)}.grid{stroke:var(--grid)}.least{stroke:var(--soft);stroke-dasharray:2 4}\
.old{stroke:var(--old);stroke-dasharray:7 4;fill:none;stroke-width:2}.new{stroke:var(--new);fill:none;stroke-width:2.5}\
.olda{fill:var(--old);opacity:.22;shape-rendering:crispEdges}.newa{fill:var(--new);opacity:.3;shape-rendering:crispEdges}\
.step{fill:var(--bg);stroke:var(--soft)}.hook{fill:var(--soft);opacity:.35}.hookline{stroke:var(--soft);stroke-dasharray:3 3}\
.p{fill:var(--grid)}.Running{fill:var(--new);opacity:.35}.Complete{fill:var(--ok);opacity:.45}.Failed{fill:var(--bad);opacity:.5}";

/// Room after the last moment, for the phase that it ended in.
const AFTER: f64 = 1.09;

/// Where things are in the picture.
struct Scale {
    /// Seconds until the last moment.
    end: f64,
    /// Seconds that there is room for.
    seconds: f64,
    replicas: i64,
}

impl Scale {
    fn of(rollout: &Rollout) -> Self {
        let last = rollout.moments.iter().map(|moment| at(&moment.after)).fold(0.0, f64::max);
        let most =
            |moment: &Moment| (moment.old + moment.new).max(moment.old_ready + moment.new_ready);
        let replicas = rollout.moments.iter().map(most).max().unwrap_or_default();
        let least = rollout.at_least.and_then(|least| i64::try_from(least).ok());
        let replicas = replicas.max(least.unwrap_or_default()).max(1);
        Self { end: last.max(1.0), seconds: last.max(1.0) * AFTER, replicas }
    }

    fn x(&self, seconds: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (seconds / self.seconds).clamp(0.0, 1.0)
    }

    fn y(&self, replicas: i64) -> f64 {
        let share = as_f64(replicas) / (as_f64(self.replicas) * 1.08);
        BOTTOM - (BOTTOM - TOP) * share.clamp(0.0, 1.0)
    }
}

fn at(after: &str) -> f64 {
    after.parse().unwrap_or_default()
}

/// Exact for every number of replicas there can be.
fn as_f64(count: i64) -> f64 {
    f64::from(i32::try_from(count).unwrap_or(i32::MAX))
}

/// The picture.
#[must_use]
pub fn svg(rollout: &Rollout) -> String {
    let scale = Scale::of(rollout);
    let steps: Vec<&Moment> = rollout
        .moments
        .iter()
        .filter(|moment| !matches!(moment.kind, Kind::Ready))
        .take(MOST_STEPS)
        .collect();
    let hooks = hooks(rollout, scale.end);
    let lanes = BOTTOM + 42.0 + if hooks.is_empty() { LANE + 6.0 } else { 2.0 * (LANE + 6.0) };
    let height = lanes + 26.0 + 18.0 * as_f64(i64::try_from(steps.len()).unwrap_or_default());
    let mut out = head(rollout, height);
    grid(&mut out, &scale, rollout);
    series(&mut out, &scale, &rollout.moments);
    phase_lane(&mut out, &scale, rollout);
    hook_lane(&mut out, &scale, &hooks);
    list(&mut out, &scale, &steps, lanes);
    out.push_str("</svg>\n");
    out
}

/// Adds a line; writing to a string cannot fail.
macro_rules! line {
    ($out:expr, $($argument:tt)*) => {{
        let _ = writeln!($out, $($argument)*);
    }};
}

fn head(rollout: &Rollout, height: f64) -> String {
    let title = format!("{} rollout #{}", rollout.subject(), rollout.version);
    let outcome = text::outcome(rollout);
    let mut out = String::new();
    line!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"t d\">"
    );
    line!(out, "<title id=\"t\">{}</title>", escaped(&title));
    let mut said = format!("{}: {outcome}; {}.", rollout.strategy, rollout.why);
    for moment in rollout.moments.iter().take(200) {
        let _ = write!(said, " After {} s: {} (by {}).", moment.after, moment.what, moment.who);
    }
    line!(out, "<desc id=\"d\">{}</desc>", escaped(&said));
    line!(out, "<style>{STYLE}</style>");
    line!(out, "<rect class=\"bg\" width=\"{WIDTH}\" height=\"{height}\"/>");
    line!(out, "<text class=\"h\" x=\"24\" y=\"34\">{}</text>", escaped(&title));
    let sub = format!("{}, {outcome}", rollout.strategy);
    line!(out, "<text x=\"24\" y=\"56\">{}</text>", escaped(&sub));
    let why = std::iter::once(rollout.why.clone()).chain(rollout.moves());
    let why: Vec<String> = why.collect();
    line!(out, "<text class=\"soft\" x=\"24\" y=\"76\">{}</text>", escaped(&why.join("; ")));
    line!(out, "<text class=\"soft num\" x=\"24\" y=\"{}\">pods</text>", TOP - 10.0);
    legend(&mut out);
    out
}

/// What colours and lines mean, so that nobody has to be told.
fn legend(out: &mut String) {
    line!(out, "<g aria-hidden=\"true\">");
    for (x, class, name) in [(700.0, "old", "old version"), (828.0, "new", "new version")] {
        line!(out, "<rect class=\"{class}a\" x=\"{x}\" y=\"20\" width=\"22\" height=\"16\"/>");
        line!(out, "<path class=\"{class}\" d=\"M{x} 36V20h22V36\"/>");
        line!(out, "<text class=\"num\" x=\"{}\" y=\"33\">{name}</text>", x + 30.0);
    }
    line!(
        out,
        "<text class=\"soft num\" x=\"{RIGHT}\" y=\"54\" text-anchor=\"end\">filled: ready · outlined: asked for</text>"
    );
    line!(out, "</g>");
}

/// Distances between ticks that people count in, of which at most about `most` fit.
fn tick(span: f64, most: f64) -> f64 {
    let mut base = 0.001;
    while base < 1e9 {
        for step in [1.0, 2.0, 5.0] {
            if span / (base * step) <= most {
                return base * step;
            }
        }
        base *= 10.0;
    }
    base
}

fn grid(out: &mut String, scale: &Scale, rollout: &Rollout) {
    line!(out, "<g>");
    let every = (scale.replicas / 8 + 1).max(1);
    let mut count = 0;
    while count <= scale.replicas {
        let y = scale.y(count);
        line!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
        line!(
            out,
            "<text class=\"soft num\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{count}</text>",
            LEFT - 8.0,
            y + 4.0
        );
        count += every;
    }
    let step = tick(scale.seconds, 9.0);
    let mut seconds = 0.0;
    while seconds <= scale.seconds {
        let x = scale.x(seconds);
        let shown = (seconds * 1000.0).round() / 1000.0;
        line!(
            out,
            "<text class=\"soft num\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{shown} s</text>",
            BOTTOM + 18.0
        );
        seconds += step;
    }
    if let Some(least) = rollout.at_least.and_then(|least| i64::try_from(least).ok()) {
        let y = scale.y(least);
        line!(out, "<path class=\"least\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
        line!(
            out,
            "<text class=\"num\" x=\"{}\" y=\"{:.1}\">at least {least} must be ready</text>",
            LEFT + 6.0,
            y + 16.0
        );
    }
    line!(out, "</g>");
}

fn series(out: &mut String, scale: &Scale, moments: &[Moment]) {
    let none: fn(&Moment) -> i64 = |_| 0;
    let new: fn(&Moment) -> i64 = |moment| moment.new_ready;
    let all: fn(&Moment) -> i64 = |moment| moment.new_ready + moment.old_ready;
    line!(out, "<g>");
    line!(out, "<path class=\"olda\" d=\"{}\"/>", area(scale, moments, new, all));
    line!(out, "<path class=\"newa\" d=\"{}\"/>", area(scale, moments, none, new));
    let asked = steps_path(scale, moments, |moment| moment.old + moment.new);
    line!(out, "<path class=\"old\" d=\"{asked}\"/>");
    line!(out, "<path class=\"new\" d=\"{}\"/>", steps_path(scale, moments, |moment| moment.new));
    line!(out, "</g>");
}

/// What lies between two counts, as boxes side by side.
fn area(
    scale: &Scale,
    moments: &[Moment],
    from: fn(&Moment) -> i64,
    to: fn(&Moment) -> i64,
) -> String {
    let mut path = String::new();
    let mut open: Option<(f64, i64, i64)> = None;
    let mut close = |open: Option<(f64, i64, i64)>, x: f64| {
        if let Some((start, from, to)) = open.filter(|(start, from, to)| to > from && x > *start) {
            let (top, bottom) = (scale.y(to), scale.y(from));
            let _ = write!(path, "M{start:.1} {bottom:.1}V{top:.1}H{x:.1}V{bottom:.1}Z");
        }
    };
    for moment in moments {
        let x = scale.x(at(&moment.after));
        let counts = (from(moment), to(moment));
        if open.is_none_or(|(_, from, to)| (from, to) != counts) {
            close(open, x);
            open = Some((x, counts.0, counts.1));
        }
    }
    close(open, scale.x(scale.end));
    path
}

/// A line that stays where it is until the next moment.
fn steps_path(scale: &Scale, moments: &[Moment], pick: fn(&Moment) -> i64) -> String {
    let first = moments.first().map(pick).unwrap_or_default();
    let mut path = format!("M{:.1} {:.1}", scale.x(0.0), scale.y(first));
    let mut last = first;
    for moment in moments {
        let value = pick(moment);
        if value != last {
            let _ = write!(path, "H{:.1}V{:.1}", scale.x(at(&moment.after)), scale.y(value));
            last = value;
        }
    }
    let _ = write!(path, "H{:.1}", scale.x(scale.end));
    path
}

fn phase_lane(out: &mut String, scale: &Scale, rollout: &Rollout) {
    let y = BOTTOM + 34.0;
    line!(out, "<g>");
    line!(
        out,
        "<text class=\"soft num\" x=\"{}\" y=\"{}\" text-anchor=\"end\">phase</text>",
        LEFT - 8.0,
        y + 13.0
    );
    let phases: Vec<(f64, &str)> = rollout
        .moments
        .iter()
        .filter(|moment| moment.kind == Kind::Phase)
        .filter_map(|moment| {
            let (_, phase) = moment.what.split_once(" is ")?;
            Some((at(&moment.after), phase.split(':').next().unwrap_or(phase)))
        })
        .collect();
    let last = if rollout.is_over() { scale.seconds } else { scale.end };
    let ends = phases.iter().skip(1).map(|(from, _)| *from);
    for ((from, phase), to) in phases.iter().zip(ends.chain([last])) {
        let (x, width) = (scale.x(*from), (scale.x(to) - scale.x(*from)).max(1.5));
        line!(
            out,
            "<rect class=\"p {phase}\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{LANE}\"><title>{phase} from {from} s</title></rect>",
            phase = escaped(phase)
        );
        if width > 7.5 * as_f64(i64::try_from(phase.len()).unwrap_or_default()) {
            line!(
                out,
                "<text class=\"num\" x=\"{:.1}\" y=\"{}\">{}</text>",
                x + 5.0,
                y + 13.0,
                escaped(phase)
            );
        }
    }
    line!(out, "</g>");
}

/// The hooks: name, from, to.
fn hooks(rollout: &Rollout, end: f64) -> Vec<(String, f64, f64)> {
    let mut hooks: Vec<(String, f64, f64)> = Vec::new();
    for moment in &rollout.moments {
        let name = moment.what.split(' ').take(2).collect::<Vec<_>>().join(" ");
        match moment.kind {
            Kind::HookBegin => hooks.push((name, at(&moment.after), end)),
            Kind::HookEnd => {
                if let Some(hook) = hooks.iter_mut().rev().find(|hook| hook.0 == name) {
                    hook.2 = at(&moment.after);
                }
            }
            _ => {}
        }
    }
    hooks
}

fn hook_lane(out: &mut String, scale: &Scale, hooks: &[(String, f64, f64)]) {
    if hooks.is_empty() {
        return;
    }
    let y = BOTTOM + 40.0 + LANE;
    line!(out, "<g>");
    line!(
        out,
        "<text class=\"soft num\" x=\"{}\" y=\"{}\" text-anchor=\"end\">hooks</text>",
        LEFT - 8.0,
        y + 13.0
    );
    for (name, from, to) in hooks {
        let (x, end) = (scale.x(*from), scale.x(*to));
        let width = (end - x).max(2.0);
        line!(
            out,
            "<rect class=\"hook\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{LANE}\"><title>{} from {from} s to {to} s</title></rect>",
            escaped(name)
        );
        for edge in [x, end] {
            line!(out, "<path class=\"hookline\" d=\"M{edge:.1} {TOP}V{y}\"/>");
        }
        line!(
            out,
            "<text class=\"num\" x=\"{:.1}\" y=\"{}\">{}</text>",
            x + 5.0,
            y + 13.0,
            escaped(name)
        );
    }
    line!(out, "</g>");
}

/// The steps, as numbers in the chart and as a list under it.
fn list(out: &mut String, scale: &Scale, steps: &[&Moment], top: f64) {
    line!(out, "<g>");
    let mut y = top + 18.0;
    let mut free = f64::MIN;
    for (index, moment) in steps.iter().enumerate() {
        let number = index + 1;
        let x = scale.x(at(&moment.after));
        if x >= free {
            free = x + 18.0;
            line!(out, "<circle class=\"step\" cx=\"{x:.1}\" cy=\"{TOP}\" r=\"8\"/>");
            line!(
                out,
                "<text class=\"num\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{number}</text>",
                TOP + 4.0
            );
        }
        line!(
            out,
            "<text class=\"soft num\" x=\"44\" y=\"{y}\" text-anchor=\"end\">{number}</text>"
        );
        line!(
            out,
            "<text class=\"soft num\" x=\"112\" y=\"{y}\" text-anchor=\"end\">{} s</text>",
            moment.after
        );
        line!(out, "<text class=\"num\" x=\"124\" y=\"{y}\">{}</text>", escaped(&moment.what));
        line!(
            out,
            "<text class=\"soft num\" x=\"{RIGHT}\" y=\"{y}\" text-anchor=\"end\">{}</text>",
            escaped(&moment.who)
        );
        y += 18.0;
    }
    line!(out, "</g>");
}

/// Text as XML holds it; control characters, which it cannot hold, are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}
