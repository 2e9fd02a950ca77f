//! The integrated registry with other people's clients: `docker`, `skopeo`, and bare HTTP.
//!
//! Every test has a `rehearse up` of its own. Those that need an engine or a client that this machine
//! does not have pass unseen, unless `REHEARSE_DOCKER_TESTS` is `require`.

mod abuse;
mod docker;
mod image;
mod limits;
mod prune;
mod rehearsals;
mod side_by_side;
mod skopeo;
mod timeline;
mod up;

use std::process::{Command, Stdio};

/// Whether what is missing is a failure.
fn required() -> bool {
    std::env::var_os("REHEARSE_DOCKER_TESTS").is_some_and(|value| value == "require")
}

/// Whether `program` answers when asked with `arguments`; if not, says that `what` is left out.
fn answers(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let answers = status.is_ok_and(|status| status.success());
    assert!(answers || !required(), "{program} {arguments:?} does not answer");
    if !answers {
        eprintln!("{program} {arguments:?} does not answer: not tested");
    }
    answers
}

/// Runs a program; gives whether it succeeded and all that it printed.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Runs a program that must succeed; gives what it printed.
fn ok(command: &mut Command) -> String {
    let (success, text) = run(command);
    assert!(success, "{command:?}\n{text}");
    text
}
