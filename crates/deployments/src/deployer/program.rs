//! What a deployer container runs: the deployer, or a shell script that calls it.
//!
//! The Custom strategy, and `customParams.command` beside the others, put a script of the user's in the
//! place of the deployer, e.g. `set -e; openshift-deploy --until=50%; echo Halfway; openshift-deploy`.
//! `oc scale rc/<name> --replicas=<n>` is there for scripts that do the work themselves.
//!
//! Invariant: pure; the deployer carries out what a program wants and says how it ended.

use std::time::Duration;

use cri::script::{self, Join, Step};

use crate::strategy::Until;

/// Programs that deployer containers run in this process, whatever their image.
pub(super) const PROGRAMS: [&str; 2] = [DEPLOYER, "oc"];

const DEPLOYER: &str = "openshift-deploy";
/// Exit code of an unknown program.
const NOT_FOUND: i64 = 127;

/// A program that is run, up to where it has come.
#[derive(Debug)]
pub(super) struct Program {
    steps: Vec<Step>,
    next: usize,
    /// How the last instruction ended.
    code: i64,
    /// `set -e`.
    stops_at_errors: bool,
}

/// What a program wants done next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Instruction {
    /// Run the strategy, up to a condition.
    Deploy(Option<Until>),
    /// Write a line.
    Print(String),
    /// Write a line and go on with this code.
    Complain(String, i64),
    /// Let time pass.
    Sleep(Duration),
    /// Set the replicas of this controller.
    Scale(String, i64),
    /// The program is over.
    End(i64),
}

impl Program {
    /// The program of a container with this command; the deployer for an empty one.
    ///
    /// # Errors
    /// What is wrong with a script.
    pub(super) fn of(command: &[String]) -> Result<Self, String> {
        let steps = match script::of_shell(command) {
            Some(text) => script::steps(text).map_err(|error| format!("/bin/sh: {error}"))?,
            None if command.is_empty() => script::steps(DEPLOYER)?,
            None => {
                let text = |text: &String| vec![script::Piece::Text(text.clone())];
                let words = command.iter().map(text).collect();
                let redirects = Vec::new();
                vec![Step { join: Join::Always, words, redirects, piped: false }]
            }
        };
        Ok(Self { steps, next: 0, code: 0, stops_at_errors: false })
    }

    /// Notes how the last instruction ended.
    pub(super) fn ended(&mut self, code: i64) {
        self.code = code;
    }

    /// The next thing to do, with the variables of `env`.
    pub(super) fn next(&mut self, env: &[(String, String)]) -> Instruction {
        loop {
            let step = self.steps.get(self.next);
            let goes_on = step.is_some_and(|step| step.join != Join::Always);
            if self.next > 0 && self.stops_at_errors && self.code != 0 && !goes_on {
                return Instruction::End(self.code);
            }
            let Some(step) = step else { return Instruction::End(self.code) };
            self.next += 1;
            let skipped = match step.join {
                Join::Always | Join::Pipe => false,
                Join::And => self.code != 0,
                Join::Or => self.code == 0,
            };
            if skipped {
                continue;
            }
            let code = self.code.to_string();
            let variable = |name: &str| -> Option<&str> {
                if name == "?" {
                    return Some(code.as_str());
                }
                env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
            };
            let words = step.words.iter().map(|word| script::expand(word, variable));
            let words: Vec<String> = words.collect();
            let Some((program, arguments)) = words.split_first() else { continue };
            match (program.as_str(), arguments) {
                ("set", [flags]) => {
                    let on = flags.starts_with('-') && flags.contains('e');
                    self.stops_at_errors |= on;
                    self.code = 0;
                }
                ("true" | ":", _) => self.code = 0,
                ("false", _) => self.code = 1,
                (program, arguments) => return self.instruction(program, arguments),
            }
        }
    }

    fn instruction(&mut self, program: &str, arguments: &[String]) -> Instruction {
        match (program, arguments) {
            (DEPLOYER, arguments) => match until(arguments) {
                Ok(until) => Instruction::Deploy(until),
                Err(text) => Instruction::Complain(format!("error: {text}"), 1),
            },
            ("echo", arguments) => Instruction::Print(arguments.join(" ")),
            ("sleep", [time]) => match time.trim_end_matches('s').parse() {
                Ok(seconds) => Instruction::Sleep(Duration::from_secs(seconds)),
                Err(_) => Instruction::Complain(format!("sleep: invalid number '{time}'"), 1),
            },
            ("exit", []) => Instruction::End(self.code),
            ("exit", [code]) => Instruction::End(code.parse().unwrap_or(2)),
            ("oc", arguments) => match scale(arguments) {
                Some((rollout, replicas)) => Instruction::Scale(rollout, replicas),
                None => {
                    let given = arguments.join(" ");
                    let text = format!("error: the simulated oc knows no {given:?}");
                    Instruction::Complain(text, 1)
                }
            },
            (program, _) => {
                Instruction::Complain(format!("/bin/sh: {program}: command not found"), NOT_FOUND)
            }
        }
    }
}

/// The value of a flag that is given as `--name=value` or `--name value`, and the words without it.
fn take_flag(arguments: &[String], name: &str) -> (Option<String>, Vec<String>) {
    let (mut value, mut rest) = (None, Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == name {
            value = words.next().cloned();
        } else if let Some(given) = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('='))
        {
            value = Some(given.to_owned());
        } else {
            rest.push(word.clone());
        }
    }
    (value, rest)
}

/// The condition of `--until`.
fn until(arguments: &[String]) -> Result<Option<Until>, String> {
    let (value, rest) = take_flag(arguments, "--until");
    if let Some(unknown) = rest.first() {
        return Err(format!("unknown flag: {unknown}"));
    }
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(None) };
    let until = Until::parse(&value);
    until.map(Some).ok_or_else(|| format!("unknown condition for --until: {value:?}"))
}

/// Reads `scale rc/<name> --replicas=<n>`.
fn scale(arguments: &[String]) -> Option<(String, i64)> {
    let (replicas, rest) = take_flag(arguments, "--replicas");
    let replicas = replicas?.parse().ok().filter(|count| *count >= 0)?;
    let kinds = ["rc", "replicationcontroller", "replicationcontrollers"];
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    let (kind, name) = match words.as_slice() {
        ["scale", target] => target.split_once('/')?,
        ["scale", kind, name] => (*kind, *name),
        _ => return None,
    };
    (kinds.contains(&kind) && !name.is_empty()).then(|| (name.to_owned(), replicas))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script whose instructions end as `codes` says, in order, then well.
    fn run(script: &str, codes: &[i64]) -> Vec<Instruction> {
        let command = ["sh", "-c", script].map(str::to_owned);
        let mut program = Program::of(&command).unwrap();
        let env = [("NAME".to_owned(), "web-2".to_owned())];
        let (mut done, mut codes) = (Vec::new(), codes.iter());
        loop {
            let instruction = program.next(&env);
            done.push(instruction.clone());
            match instruction {
                Instruction::End(_) => return done,
                Instruction::Complain(_, code) => program.ended(code),
                _ => program.ended(codes.next().copied().unwrap_or(0)),
            }
        }
    }

    fn say(text: &str) -> Instruction {
        Instruction::Print(text.to_owned())
    }

    #[test]
    fn without_a_command_it_is_the_deployer() {
        let mut program = Program::of(&[]).unwrap();
        assert_eq!(program.next(&[]), Instruction::Deploy(None));
        program.ended(1);
        assert_eq!(program.next(&[]), Instruction::End(1));
    }

    #[test]
    fn a_script_may_stop_halfway_and_go_on() {
        let script =
            "set -e; openshift-deploy --until=50%; echo Halfway of $NAME; openshift-deploy";
        let half = Instruction::Deploy(Some(Until::Percent(50)));
        let whole = Instruction::Deploy(None);
        let end = Instruction::End;
        assert_eq!(run(script, &[]), [half.clone(), say("Halfway of web-2"), whole, end(0)]);
        assert_eq!(run(script, &[1]), [half, end(1)]);
    }

    #[test]
    fn a_script_may_do_the_work_itself() {
        let script = "oc scale rc/$NAME --replicas 3 || exit 7\nsleep 2; false; echo $?; exit";
        let scale = Instruction::Scale("web-2".to_owned(), 3);
        let sleep = Instruction::Sleep(Duration::from_secs(2));
        assert_eq!(run(script, &[]), [scale.clone(), sleep, say("1"), Instruction::End(0)]);
        assert_eq!(run(script, &[1]), [scale, Instruction::End(7)]);
    }

    #[test]
    fn what_is_not_understood_fails() {
        let complain = |text: &str, code| Instruction::Complain(text.to_owned(), code);
        for (script, text, code) in [
            ("openshift-deploy --now", "error: unknown flag: --now", 1),
            ("openshift-deploy --until=x", "error: unknown condition for --until: \"x\"", 1),
            ("oc get pods", "error: the simulated oc knows no \"get pods\"", 1),
            ("./own", "/bin/sh: ./own: command not found", 127),
            ("sleep long", "sleep: invalid number 'long'", 1),
        ] {
            assert_eq!(run(script, &[]), [complain(text, code), Instruction::End(code)]);
        }
        let broken = ["sh", "-c", "echo 'x"].map(str::to_owned);
        let error = Program::of(&broken).unwrap_err();
        assert_eq!(error, "/bin/sh: syntax error: unterminated quoted string");
    }
}
