//! What a container does that is started with a command of its own, where that can be told from the
//! command: an answer that the image's script names, or a small shell script.
//!
//! Understood are `echo`, `sleep`, `exit`, `true`, `false` and `:`, one after the other or joined by
//! `&&` and `||`. A container with any other command does what its image does.
//!
//! Invariant: pure; nothing here waits.

use std::collections::BTreeMap;

use super::super::behaviour::{Behaviour, Exit, LineAt, LogLine};
use crate::config::ContainerConfig;
use crate::script::{self as words, Join, Piece, Redirect, Word};

/// What a container of `config` does instead of what its image (`base`) does.
pub(in crate::sim) fn of_command(base: &Behaviour, config: &ContainerConfig) -> Option<Behaviour> {
    let command = command(base, config);
    if command.is_empty() {
        return None;
    }
    let answer =
        base.exec.iter().find(|answer| answer.answers(&command, std::time::Duration::ZERO));
    let (lines, end) = match answer {
        Some(answer) => {
            let text = answer.stdout.lines().chain(answer.stderr.lines());
            let lines = text.map(|line| (answer.after_seconds, line.to_owned())).collect();
            (lines, (answer.after_seconds, answer.code))
        }
        None => play(words::of_shell(&command)?, &config.env)?,
    };
    let line = |(at_seconds, line): (f64, String)| LogLine::At(LineAt { at_seconds, line });
    Some(Behaviour {
        logs: lines.into_iter().map(line).collect(),
        exit: Some(Exit { after_seconds: end.0, ..Exit::now(end.1) }),
        exits: Vec::new(),
        oom_after_seconds: None,
        ..base.clone()
    })
}

/// What the container is started with, as far as it is known: its own command, or its image's.
pub(in crate::sim) fn command(base: &Behaviour, config: &ContainerConfig) -> Vec<String> {
    if config.command.is_empty() {
        return base.command.clone();
    }
    config.command.iter().chain(&*config.args).cloned().collect()
}

type Played = (Vec<(f64, String)>, (f64, i64));

/// The lines that a script writes, and when and how it ends; `None` when it does more than that.
fn play(script: &str, env: &[(String, String)]) -> Option<Played> {
    let env: BTreeMap<&str, &str> =
        env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (mut lines, mut now, mut code) = (Vec::new(), 0.0, 0);
    let mut ended = false;
    for step in words::steps(script).ok()? {
        let to_file = |redirect: &Redirect| matches!(redirect, Redirect::File { .. });
        if step.piped || step.redirects.iter().any(to_file) {
            return None;
        }
        let words: Vec<String> =
            step.words.iter().map(|word| expand(word, &env, code)).collect::<Option<_>>()?;
        let (program, arguments) = words.split_first()?;
        let known = ["echo", "sleep", "exit", "true", "false", ":"];
        if !known.contains(&program.as_str()) {
            return None;
        }
        let skipped = match step.join {
            Join::Always => false,
            Join::And => code != 0,
            Join::Or => code == 0,
            Join::Pipe => return None,
        };
        // What comes after the end is read all the same: it must be understood.
        if skipped || ended {
            continue;
        }
        match (program.as_str(), arguments) {
            ("echo", arguments) => lines.push((now, arguments.join(" "))),
            ("sleep", [seconds]) => now += seconds.trim_end_matches('s').parse::<f64>().ok()?,
            ("exit", []) => ended = true,
            ("exit", [wanted]) => {
                code = wanted.parse().ok()?;
                ended = true;
            }
            ("true" | "false" | ":", _) => {}
            _ => return None,
        }
        code = if program == "exit" { code } else { i64::from(program == "false") };
    }
    now.is_finite().then_some((lines, (now, code)))
}

fn expand(word: &Word, env: &BTreeMap<&str, &str>, code: i64) -> Option<String> {
    let mut text = String::new();
    for piece in word {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Variable(name) if name == "?" => text.push_str(&code.to_string()),
            Piece::Variable(name) if name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                text.push_str(env.get(name.as_str()).copied().unwrap_or_default());
            }
            Piece::Variable(_) => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(script: &str) -> Option<Played> {
        play(script, &[("NAME".to_owned(), "web-1".to_owned())])
    }

    #[test]
    fn small_scripts_are_played() {
        let line = |at: f64, text: &str| (at, text.to_owned());
        assert_eq!(
            told("echo hook of $NAME X=$X; sleep 2; echo 'done'"),
            Some((vec![line(0.0, "hook of web-1 X="), line(2.0, "done")], (2.0, 0)))
        );
        assert_eq!(
            told("echo no; sleep 1; exit 3; echo never"),
            Some((vec![line(0.0, "no")], (1.0, 3)))
        );
        assert_eq!(told("false && echo a || echo b"), Some((vec![line(0.0, "b")], (0.0, 0))));
        assert_eq!(told("false"), Some((Vec::new(), (0.0, 1))));
    }

    #[test]
    fn what_does_more_is_not_guessed() {
        for script in ["while true; do sleep 1; done", "echo a | cat", "./server", "sleep infinity"]
        {
            assert_eq!(told(script), None, "{script}");
        }
    }
}
