//! The programs that every simulated container has, and a small `sh` to call them with.
//!
//! Understood are words with quotes and variables, `;`, `&&`, `||`, `|`, `>`, `>>`, `>&2`, `2>&1`.
//! There is no flow control; whatever is unknown ends with 127, as in a container without it.
//!
//! Invariant: what the image's script answers goes before everything here.

mod files;
mod programs;
mod script;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

pub(super) use self::files::Files;
pub(super) use self::script::{Played, Start, command, of_command, of_exec};
use super::behaviour::{Behaviour, ExecAnswer};
use crate::script::{self as words, Join, Redirect, Step};
use crate::stream::{Output, terminal};

/// The most that is passed on through a pipe or into a file.
const MOST_CAPTURED: usize = 16 * 1024 * 1024;
/// The longest line of an interactive shell.
const MOST_LINE: usize = 64 * 1024;
/// Exit code of an unknown program.
const NOT_FOUND: i64 = 127;
/// What an engine answers for a program that an image does not have.
const NO_PROGRAM: i64 = 126;

/// A running simulated container, as a command in it finds it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) hostname: String,
    pub(super) env: Vec<(String, String)>,
    pub(super) behaviour: Arc<Behaviour>,
    /// How long the container's process has been running.
    pub(super) age: Duration,
    pub(super) files: Files,
}

/// One command and all that it calls.
#[derive(Debug)]
pub(super) struct Shell {
    place: Place,
    env: BTreeMap<String, String>,
    directory: String,
    tty: bool,
    input: Input,
    stdout: Output,
    stderr: Output,
    last_code: i64,
    exited: Option<i64>,
}

/// What a program reads: what came through a pipe, or what the client sends.
#[derive(Debug)]
struct Input {
    client: mpsc::Receiver<Bytes>,
    /// Read from the client and not used yet.
    rest: BytesMut,
    piped: Option<Bytes>,
}

impl Input {
    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(piped) = &mut self.piped {
            return Some(std::mem::take(piped)).filter(|bytes| !bytes.is_empty());
        }
        if !self.rest.is_empty() {
            return Some(self.rest.split().freeze());
        }
        self.client.recv().await
    }
}

/// Where a program writes.
#[derive(Debug)]
enum Sink {
    Stdout,
    Stderr,
    Captured(Vec<u8>),
}

/// What a program writes to.
#[derive(Debug)]
struct Sinks {
    out: Sink,
    errors: Sink,
}

impl Shell {
    pub(super) fn new(
        place: Place,
        tty: bool,
        stdin: mpsc::Receiver<Bytes>,
        stdout: Output,
        stderr: Output,
    ) -> Self {
        let defaults = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HOME", "/"),
            ("HOSTNAME", &place.hostname),
        ];
        let mut env: BTreeMap<String, String> =
            defaults.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        if tty {
            env.insert("TERM".to_owned(), "xterm".to_owned());
        }
        env.extend(place.env.iter().cloned());
        let input = Input { client: stdin, rest: BytesMut::new(), piped: None };
        let directory = "/".to_owned();
        Self { place, env, directory, tty, input, stdout, stderr, last_code: 0, exited: None }
    }

    /// Runs `command` as an engine does and gives its exit code.
    pub(super) async fn main(mut self, command: Vec<String>) -> i64 {
        let mut sinks = Sinks { out: Sink::Stdout, errors: Sink::Stderr };
        let scripted =
            self.place.behaviour.exec.iter().any(|answer| answer.answers(&command, self.place.age));
        if scripted || programs::known(&command[0]) {
            let code = self.call(&command, &mut sinks).await;
            return self.exited.unwrap_or(code);
        }
        let text = format!(
            "OCI runtime exec failed: exec failed: unable to start container process: exec: {:?}: \
             executable file not found in $PATH: unknown\r\n",
            command[0]
        );
        self.write(&mut sinks.out, text).await;
        NO_PROGRAM
    }

    /// Runs one program.
    async fn call(&mut self, words: &[String], sinks: &mut Sinks) -> i64 {
        let behaviour = Arc::clone(&self.place.behaviour);
        if let Some(answer) =
            behaviour.exec.iter().find(|answer| answer.answers(words, self.place.age))
        {
            return self.scripted(answer, sinks).await;
        }
        programs::run(self, words, sinks).await
    }

    async fn scripted(&mut self, answer: &ExecAnswer, sinks: &mut Sinks) -> i64 {
        world::edge::sleep(super::behaviour::seconds(answer.after_seconds)).await;
        self.write(&mut sinks.out, answer.stdout.clone()).await;
        self.write(&mut sinks.errors, answer.stderr.clone()).await;
        answer.code
    }

    async fn write(&self, sink: &mut Sink, text: impl Into<Bytes>) {
        let text = text.into();
        // Who does not listen any more ends the whole command soon.
        match sink {
            Sink::Stdout => drop(self.stdout.send(terminal(text, self.tty)).await.is_ok()),
            Sink::Stderr if self.tty => drop(self.stdout.send(terminal(text, true)).await.is_ok()),
            Sink::Stderr => drop(self.stderr.send(text).await.is_ok()),
            Sink::Captured(all) => {
                let left = MOST_CAPTURED.saturating_sub(all.len());
                all.extend_from_slice(&text[..text.len().min(left)]);
            }
        }
    }

    /// Runs a script; gives the code of its last command.
    async fn script(&mut self, text: &str, sinks: &mut Sinks) -> i64 {
        let steps = match words::steps(text) {
            Ok(steps) => steps,
            Err(error) => {
                self.write(&mut sinks.errors, format!("sh: {error}\n")).await;
                self.last_code = 2;
                return 2;
            }
        };
        let mut skipped = false;
        for step in steps {
            skipped = match step.join {
                Join::Always => false,
                Join::And => self.last_code != 0,
                Join::Or => self.last_code == 0,
                Join::Pipe => skipped,
            };
            if skipped {
                continue;
            }
            self.last_code = Box::pin(self.step(&step, sinks)).await;
            if let Some(code) = self.exited {
                return code;
            }
        }
        self.last_code
    }

    async fn step(&mut self, step: &Step, outer: &mut Sinks) -> i64 {
        let words: Vec<String> = step.words.iter().map(|word| self.expand(word)).collect();
        let mut file = None;
        let mut sinks = Sinks { out: Sink::Stdout, errors: Sink::Stderr };
        if let Sink::Captured(_) = outer.out {
            sinks.out = Sink::Captured(Vec::new());
        }
        for redirect in &step.redirects {
            match redirect {
                Redirect::OutToErrors => sinks.out = Sink::Stderr,
                Redirect::ErrorsToOut => sinks.errors = Sink::Stdout,
                Redirect::File { name, append } => {
                    file = Some((self.expand(name), *append));
                    sinks.out = Sink::Captured(Vec::new());
                }
            }
        }
        if step.piped {
            sinks.out = Sink::Captured(Vec::new());
        }
        let code = match words.split_first() {
            Some(_) => Box::pin(self.call(&words, &mut sinks)).await,
            None => 0,
        };
        if step.join == Join::Pipe {
            self.input.piped = None;
        }
        if let Sink::Captured(bytes) = sinks.out {
            match file {
                Some((name, append)) => {
                    let path = files::join(&self.directory, &name);
                    self.place.files.write(&path, bytes, append);
                }
                None if step.piped => self.input.piped = Some(bytes.into()),
                None => self.write(&mut outer.out, bytes).await,
            }
        }
        code
    }

    /// A word with its variables filled in.
    fn expand(&self, word: &[words::Piece]) -> String {
        word.iter()
            .map(|piece| match piece {
                words::Piece::Text(text) => text.clone(),
                words::Piece::Variable(name) if name == "?" => self.last_code.to_string(),
                words::Piece::Variable(name) => self.env.get(name).cloned().unwrap_or_default(),
            })
            .collect()
    }

    /// Reads commands from the client, line by line.
    async fn interactive(&mut self, sinks: &mut Sinks) -> i64 {
        let mut line = Vec::new();
        self.prompt().await;
        while let Some(bytes) = self.input.next().await {
            let mut bytes = BytesMut::from(bytes);
            while !bytes.is_empty() {
                let byte = bytes.split_to(1)[0];
                match byte {
                    b'\r' | b'\n' => {
                        self.echo("\n").await;
                        let text = String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned();
                        // What follows is input of the command first.
                        self.input.rest = std::mem::take(&mut bytes);
                        Box::pin(self.script(&text, sinks)).await;
                        bytes = std::mem::take(&mut self.input.rest);
                        if let Some(code) = self.exited {
                            return code;
                        }
                        self.prompt().await;
                    }
                    // End of transmission, interrupt, rubout: only a terminal sends them.
                    4 if self.tty && line.is_empty() => return self.last_code,
                    3 if self.tty => {
                        line.clear();
                        self.echo("^C\n").await;
                        self.prompt().await;
                    }
                    8 | 127 if self.tty => {
                        let shown = if line.pop().is_some() { "\u{8} \u{8}" } else { "" };
                        self.echo(shown).await;
                    }
                    byte if line.len() < MOST_LINE => {
                        line.push(byte);
                        if self.tty {
                            let echo = Bytes::copy_from_slice(&[byte]);
                            self.write(&mut Sink::Stdout, echo).await;
                        }
                    }
                    _ => {}
                }
            }
        }
        if !line.is_empty() {
            let text = String::from_utf8_lossy(&line).into_owned();
            Box::pin(self.script(&text, sinks)).await;
        }
        self.exited.unwrap_or(self.last_code)
    }

    async fn echo(&self, text: &'static str) {
        if self.tty {
            self.write(&mut Sink::Stdout, text).await;
        }
    }

    async fn prompt(&self) {
        if self.tty {
            self.write(&mut Sink::Stdout, format!("{} # ", self.directory)).await;
        }
    }
}

#[cfg(test)]
mod tests;
