//! What scripts write and how they end.

use super::*;
use crate::stream::{Stdio, pair};

fn place() -> Place {
    let exec = r#"{"exec": [{"command": ["psql", "-c"], "stdout": "3 rows\n", "code": 4}]}"#;
    let behaviour = Arc::new(serde_json::from_str(exec).unwrap());
    let env = vec![("COLOUR".to_owned(), "green".to_owned())];
    let age = Duration::ZERO;
    Place { hostname: "web-1".to_owned(), env, behaviour, age, files: Files::default() }
}

/// Both outputs and the exit code of `command` with `input`.
fn run_in(place: &Place, command: &[&str], input: &str) -> (String, String, i64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let stdio = Stdio { stdin: true, stdout: true, stderr: true, tty: false };
    let (mut process, inside) = pair(stdio);
    let shell = Shell::new(place.clone(), false, inside.stdin, inside.stdout, inside.stderr);
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    let input = Bytes::from(input.to_owned());
    runtime.block_on(async move {
        process.stdin.send(input).await.unwrap();
        drop(process.stdin);
        let collect = async |receiver: &mut mpsc::Receiver<Bytes>| {
            let mut all = Vec::new();
            while let Some(bytes) = receiver.recv().await {
                all.extend_from_slice(&bytes);
            }
            String::from_utf8(all).unwrap()
        };
        let (code, out, errors) = tokio::join!(
            shell.main(command),
            collect(&mut process.stdout),
            collect(&mut process.stderr)
        );
        (out, errors, code)
    })
}

fn check(script: &str, out: &str, errors: &str, code: i64) {
    let found = run_in(&place(), &["sh", "-c", script], "in\n");
    assert_eq!(found, (out.to_owned(), errors.to_owned(), code), "{script}");
}

#[test]
fn scripts_run() {
    check("echo out; echo err >&2; exit 7", "out\n", "err\n", 7);
    check("echo \"$COLOUR ${COLOUR}\" '$COLOUR' a\\ b", "green green $COLOUR a b\n", "", 0);
    check("false && echo no || echo yes", "yes\n", "", 0);
    check("true || echo no; echo $?", "0\n", "", 0);
    check("cat", "in\n", "", 0);
    check("echo x | cat", "x\n", "", 0);
    check("echo 1 > /tmp/f; echo 2 >> /tmp/f; cat /tmp/f", "1\n2\n", "", 0);
    check("nosuch", "", "sh: nosuch: not found\n", 127);
    check("echo a |", "", "sh: syntax error: unexpected \"end of file\"\n", 2);
    check("echo 'a", "", "sh: syntax error: unterminated quoted string\n", 2);
    check("[ -d /tmp ] && test ! -e /nosuch && echo ok", "ok\n", "", 0);
    check("psql -c 'select 1'; echo $?", "3 rows\n4\n", "", 0);
}

#[test]
fn an_engine_refuses_what_the_image_has_not() {
    let (out, _, code) = run_in(&place(), &["nosuchcmd"], "");
    assert!(out.contains("exec: \"nosuchcmd\": executable file not found in $PATH"), "{out}");
    assert_eq!(code, 126);
    assert_eq!(run_in(&place(), &["psql", "-c", "x"], "").2, 4);
    assert_eq!(run_in(&place(), &["/bin/printenv", "HOSTNAME"], "").0, "web-1\n");
}

#[test]
fn lines_of_the_client_are_commands() {
    let (out, _, code) = run_in(&place(), &["sh"], "echo a\ncd /tmp\npwd\nexit 3\necho no\n");
    assert_eq!((out.as_str(), code), ("a\n/tmp\n", 3));
}

#[test]
fn archives_go_in_and_come_out() {
    let place = place();
    assert_eq!(run_in(&place, &["sh", "-c", "mkdir /data; echo hi > /data/f"], "").2, 0);
    let archive = place.files.pack("/", &["/data".to_owned()]).unwrap();
    place.files.unpack("/tmp/new", &archive).unwrap();
    assert_eq!(run_in(&place, &["cat", "/tmp/new/data/f"], "").0, "hi\n");
    assert_eq!(run_in(&place, &["ls", "/tmp/new/data"], "").0, "f\n");
}
