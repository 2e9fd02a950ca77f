//! What a container does that is started with a command of its own, where that can be told from the
//! command: an answer that the image's script names, a program that ends at once, or a small shell
//! script of such programs, one after the other or joined by `&&` and `||`.
//!
//! A container with any other command does what its image does; an init container for which nothing
//! says how it ends, ends well after a second, so that its pod goes on.
//!
//! Invariant: pure but for a look at the files of the pod's volumes; nothing here waits.

use std::collections::BTreeMap;
use std::time::Duration;

use world::Time;

use super::super::behaviour::{Behaviour, Exit, LineAt, LogLine};
use super::files::{Entry, Files, join};
use crate::config::ContainerConfig;
use crate::script::{self as words, Join, Piece, Redirect, Step, Word};

/// How long an init container works of which nothing else is known.
const INIT_SECONDS: f64 = 1.0;

/// Where a container is started.
pub(in crate::sim) struct Start<'a> {
    /// The pod's name.
    pub(in crate::sim) hostname: &'a str,
    /// When.
    pub(in crate::sim) now: Time,
    /// What is in its volumes.
    pub(in crate::sim) files: &'a dyn Fn() -> Files,
}

/// What a container of `config` does instead of what its image (`base`) does.
pub(in crate::sim) fn of_command(
    base: &Behaviour,
    config: &ContainerConfig,
    start: &Start<'_>,
) -> Option<Behaviour> {
    let told = told_by_command(base, config, start);
    if told.is_some() || !config.init || base.ends() {
        return told;
    }
    let exit = Exit { after_seconds: INIT_SECONDS, ..Exit::now(0) };
    Some(Behaviour { exit: Some(exit), ..base.clone() })
}

fn told_by_command(
    base: &Behaviour,
    config: &ContainerConfig,
    start: &Start<'_>,
) -> Option<Behaviour> {
    let command = command(base, config);
    if command.is_empty() && config.args.is_empty() {
        return None;
    }
    let answer = base
        .exec
        .iter()
        .find(|answer| !command.is_empty() && answer.answers(&command, Duration::ZERO));
    let played = match answer {
        Some(answer) => {
            let text = answer.stdout.lines().chain(answer.stderr.lines());
            let lines = text.map(|line| (answer.after_seconds, line.to_owned())).collect();
            Played { lines, after_seconds: answer.after_seconds, code: answer.code }
        }
        // Nothing is known of an entry point: arguments that are a command are taken for one.
        None if command.is_empty() => Scene::of(base, &config.env, start).play(&config.args)?,
        None => Scene::of(base, &config.env, start).play(&command)?,
    };
    let line = |(at_seconds, line): (f64, String)| LogLine::At(LineAt { at_seconds, line });
    Some(Behaviour {
        logs: played.lines.into_iter().map(line).collect(),
        exit: Some(Exit { after_seconds: played.after_seconds, ..Exit::now(played.code) }),
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

/// What a command that a probe or a hook runs in the container comes to, where that can be told.
pub(in crate::sim) fn of_exec(
    base: &Behaviour,
    env: &[(String, String)],
    start: &Start<'_>,
    command: &[String],
) -> Option<Played> {
    Scene::of(base, env, start).play(command)
}

/// What a command writes, each line with its second, and when and how it ends.
#[derive(Debug, PartialEq)]
pub(in crate::sim) struct Played {
    pub(in crate::sim) lines: Vec<(f64, String)>,
    pub(in crate::sim) after_seconds: f64,
    pub(in crate::sim) code: i64,
}

/// What programs ask for.
struct Scene<'a> {
    env: BTreeMap<&'a str, &'a str>,
    user: &'a str,
    start: &'a Start<'a>,
}

/// Programs of which no more matters than that they end well.
const QUIET: [&str; 14] = [
    ":", "chgrp", "chmod", "chown", "cp", "export", "ln", "mkdir", "mv", "rm", "rmdir", "set",
    "touch", "true",
];

impl<'a> Scene<'a> {
    fn of(base: &'a Behaviour, env: &'a [(String, String)], start: &'a Start<'a>) -> Self {
        let defaults =
            [("HOME", "/"), ("HOSTNAME", start.hostname), ("PATH", "/usr/local/bin:/usr/bin:/bin")];
        let own = env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let user = base.user.as_deref().filter(|user| !["", "root"].contains(user)).unwrap_or("0");
        Self { env: defaults.into_iter().chain(own).collect(), user, start }
    }

    /// `None` when it does more than what can be told.
    fn play(&self, command: &[String]) -> Option<Played> {
        match words::of_shell(command) {
            Some(script) => self.steps(&words::steps(script).ok()?),
            None if command.is_empty() => None,
            None => {
                let word = |text: &String| vec![Piece::Text(text.clone())];
                let words = command.iter().map(word).collect();
                let (join, redirects, piped) = (Join::Always, Vec::new(), false);
                self.steps(&[Step { join, words, redirects, piped }])
            }
        }
    }

    fn steps(&self, steps: &[Step]) -> Option<Played> {
        let mut played = Played { lines: Vec::new(), after_seconds: 0.0, code: 0 };
        let mut ended = false;
        for step in steps {
            let words: Vec<String> = step
                .words
                .iter()
                .map(|word| self.expand(word, played.code))
                .collect::<Option<_>>()?;
            let (program, arguments) = words.split_first()?;
            let skipped = match step.join {
                Join::Always => false,
                Join::And => played.code != 0,
                Join::Or => played.code == 0,
                Join::Pipe => return None,
            };
            if step.piped {
                return None;
            }
            // What is passed over is read all the same: it must be understood.
            let Done { text, seconds, code, ends } = self.run(program, arguments)?;
            if skipped || ended {
                continue;
            }
            let to_file = |redirect: &Redirect| matches!(redirect, Redirect::File { .. });
            if !step.redirects.iter().any(to_file) {
                let at = played.after_seconds;
                played.lines.extend(text.lines().map(|line| (at, line.to_owned())));
            }
            played.after_seconds += seconds;
            played.code = code.unwrap_or(played.code);
            ended = ends;
        }
        played.after_seconds.is_finite().then_some(played)
    }

    /// What one program does.
    fn run(&self, path: &str, arguments: &[String]) -> Option<Done> {
        let first = arguments.first().map(String::as_str);
        let program = super::programs::name(path);
        Some(match program {
            quiet if QUIET.contains(&quiet) => Done::writes(String::new()),
            "false" => Done { code: Some(1), ..Done::writes(String::new()) },
            "exit" => {
                let code = first.map(str::parse).transpose().ok()?;
                Done { code, ends: true, ..Done::writes(String::new()) }
            }
            "sleep" => match arguments {
                [time] => Done { seconds: sleep(time)?, ..Done::writes(String::new()) },
                _ => return None,
            },
            "echo" => {
                let flags =
                    arguments.iter().take_while(|word| ["-n", "-e"].contains(&word.as_str()));
                Done::writes(format!("{}\n", arguments[flags.count()..].join(" ")))
            }
            "date" => {
                let format =
                    first.map_or("%a %b %e %H:%M:%S UTC %Y", |word| word.trim_start_matches('+'));
                let format = if format == "-u" { "%a %b %e %H:%M:%S UTC %Y" } else { format };
                Done::writes(self.start.now.strftime(format)?)
            }
            "env" | "printenv" => match first {
                None => {
                    let line = |(name, value): (&&str, &&str)| format!("{name}={value}\n");
                    Done::writes(self.env.iter().map(line).collect())
                }
                Some(name) if program == "printenv" => match self.env.get(name) {
                    Some(value) => Done::writes((*value).to_owned()),
                    None => Done { code: Some(1), ..Done::writes(String::new()) },
                },
                Some(_) => return None,
            },
            "hostname" => Done::writes(self.start.hostname.to_owned()),
            "pwd" => Done::writes("/".to_owned()),
            "whoami" if self.user == "0" => Done::writes("root".to_owned()),
            "whoami" => Done::writes(self.user.to_owned()),
            "id" if self.user == "0" => {
                Done::writes("uid=0(root) gid=0(root) groups=0(root)".to_owned())
            }
            "id" => Done::writes(format!("uid={} gid=0(root) groups=0(root)", self.user)),
            "cat" | "ls" => Done::writes(self.look(arguments)?),
            _ => return None,
        })
    }

    /// Files and directories of volumes, as `cat` and `ls` show them; `None` for all others, which may
    /// be in the image.
    fn look(&self, arguments: &[String]) -> Option<String> {
        let names = arguments.iter().filter(|word| !word.starts_with('-'));
        let files = (self.start.files)();
        let mut text = String::new();
        for name in names {
            let path = join("/", name);
            match files.get(&path)? {
                Entry::File(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
                Entry::Directory => {
                    let inside = files.list(&path).into_iter();
                    text.extend(inside.flat_map(|name| [name, "\n".to_owned()]));
                }
            }
        }
        (!text.is_empty()).then_some(text)
    }

    fn expand(&self, word: &Word, code: i64) -> Option<String> {
        let mut text = String::new();
        for piece in word {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Variable(name) if name == "?" => text.push_str(&code.to_string()),
                Piece::Variable(name) if name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                    text.push_str(self.env.get(name.as_str()).copied().unwrap_or_default());
                }
                Piece::Variable(_) => return None,
            }
        }
        Some(text)
    }
}

/// What a program has done.
struct Done {
    text: String,
    seconds: f64,
    /// `None` leaves the code of the one before, as `exit` does.
    code: Option<i64>,
    /// Whether nothing comes after it.
    ends: bool,
}

impl Done {
    fn writes(text: String) -> Self {
        Self { text, seconds: 0.0, code: Some(0), ends: false }
    }
}

/// The seconds of `sleep 2`, `2.5`, `2s`, `2m`, `2h`, `2d`.
fn sleep(time: &str) -> Option<f64> {
    let (number, unit) = match time.char_indices().last()? {
        (at, 's') => (&time[..at], 1.0),
        (at, 'm') => (&time[..at], 60.0),
        (at, 'h') => (&time[..at], 3600.0),
        (at, 'd') => (&time[..at], 86400.0),
        _ => (time, 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(command: &[&str]) -> Option<Played> {
        let env = vec![("NAME".to_owned(), "web-1".to_owned())];
        let files = || {
            let files = Files::default();
            files.put("/cfg/colour", b"green\nblue\n");
            files
        };
        let now = Time::from_unix_seconds(1_539_259_200);
        let start = Start { hostname: "pod-1", now, files: &files };
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        Scene::of(&Behaviour::default(), &env, &start).play(&command)
    }

    fn check(command: &[&str], lines: &[(f64, &str)], after_seconds: f64, code: i64) {
        let lines = lines.iter().map(|(at, line)| (*at, (*line).to_owned())).collect();
        let expected = Some(Played { lines, after_seconds, code });
        assert_eq!(played(command), expected, "{command:?}");
    }

    #[test]
    fn small_scripts_are_played() {
        let script = "echo hook of $NAME X=$X; sleep 2; echo 'done'";
        check(&["sh", "-c", script], &[(0.0, "hook of web-1 X="), (2.0, "done")], 2.0, 0);
        check(&["sh", "-c", "echo no; sleep 1; exit 3; echo never"], &[(0.0, "no")], 1.0, 3);
        check(&["/bin/sh", "-ec", "false && echo a || echo b"], &[(0.0, "b")], 0.0, 0);
        check(&["sh", "-c", "false"], &[], 0.0, 1);
        check(&["sh", "-c", "false; exit"], &[], 0.0, 1);
        check(&["sh", "-c", "echo x > /data/f; chmod 644 /data/f"], &[], 0.0, 0);
    }

    #[test]
    fn programs_that_end_are_played() {
        check(&["echo", "a && b"], &[(0.0, "a && b")], 0.0, 0);
        check(&["/bin/sleep", "1m"], &[], 60.0, 0);
        check(&["date"], &[(0.0, "Thu Oct 11 12:00:00 UTC 2018")], 0.0, 0);
        check(
            &["sh", "-c", "date; echo hi"],
            &[(0.0, "Thu Oct 11 12:00:00 UTC 2018"), (0.0, "hi")],
            0.0,
            0,
        );
        check(&["date", "+%s"], &[(0.0, "1539259200")], 0.0, 0);
        check(&["printenv", "NAME"], &[(0.0, "web-1")], 0.0, 0);
        check(&["printenv", "NONE"], &[], 0.0, 1);
        check(&["hostname"], &[(0.0, "pod-1")], 0.0, 0);
        check(&["whoami"], &[(0.0, "root")], 0.0, 0);
        check(&["cat", "/cfg/colour"], &[(0.0, "green"), (0.0, "blue")], 0.0, 0);
        check(&["ls", "-l", "/cfg"], &[(0.0, "colour")], 0.0, 0);
        let (home, name) = ((0.0, "HOME=/"), (0.0, "NAME=web-1"));
        let (host, path) = ((0.0, "HOSTNAME=pod-1"), (0.0, "PATH=/usr/local/bin:/usr/bin:/bin"));
        check(&["env"], &[home, host, name, path], 0.0, 0);
    }

    #[test]
    fn what_does_more_is_not_guessed() {
        for script in ["while true; do sleep 1; done", "echo a | cat", "./server", "sleep infinity"]
        {
            assert_eq!(played(&["sh", "-c", script]), None, "{script}");
        }
        for command in
            [&["./server"][..], &["sleep", "infinity"], &["cat", "/etc/os"], &["sh"], &[]]
        {
            assert_eq!(played(command), None, "{command:?}");
        }
    }
}
