//! The programs themselves.

use std::fmt::Write as _;
use std::time::Duration;

use super::files::{Entry, join};
use super::{MOST_CAPTURED, NOT_FOUND, Shell, Sinks};

/// Every program, for telling an unknown one from one that ended with 127.
const PROGRAMS: [&str; 22] = [
    "[", "cat", "cd", "echo", "env", "exit", "false", "hostname", "id", "ls", "mkdir", "printenv",
    "pwd", "rm", "sh", "sleep", "tar", "test", "true", "whoami", "bash", "printf",
];

/// The program that `path` names.
pub(super) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(directory, name)| {
        if ["/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin"].contains(&directory) {
            name
        } else {
            path
        }
    })
}

pub(super) fn known(path: &str) -> bool {
    PROGRAMS.contains(&name(path))
}

/// Runs the program that `words` name.
pub(super) async fn run(shell: &mut Shell, words: &[String], sinks: &mut Sinks) -> i64 {
    let args = &words[1..];
    match name(&words[0]) {
        "true" => 0,
        "false" => 1,
        "echo" | "printf" | "pwd" | "hostname" | "whoami" | "id" => {
            let text = tell(shell, name(&words[0]), args);
            shell.write(&mut sinks.out, text).await;
            0
        }
        "env" | "printenv" => environment(shell, args, sinks).await,
        "cat" => cat(shell, args, sinks).await,
        "ls" => ls(shell, args, sinks).await,
        "cd" => cd(shell, args, sinks).await,
        "exit" => {
            let code = args.first().map_or(shell.last_code, |code| code.parse().unwrap_or(2));
            shell.exited = Some(code & 0xff);
            code & 0xff
        }
        "mkdir" | "rm" => change(shell, name(&words[0]), args, sinks).await,
        "sleep" => {
            let seconds: f64 = args.first().and_then(|text| text.parse().ok()).unwrap_or_default();
            let pause = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            world::edge::sleep(pause).await;
            0
        }
        "test" => i64::from(!holds(shell, args)),
        "[" => i64::from(!holds(shell, args.strip_suffix(&["]".to_owned()]).unwrap_or(args))),
        "tar" => tar(shell, args, sinks).await,
        "sh" | "bash" => sh(shell, args, sinks).await,
        other => {
            shell.write(&mut sinks.errors, format!("sh: {other}: not found\n")).await;
            NOT_FOUND
        }
    }
}

/// Programs that write a line.
fn tell(shell: &Shell, program: &str, args: &[String]) -> String {
    match program {
        "echo" => match args.split_first() {
            Some((first, rest)) if first == "-n" => rest.join(" "),
            _ => format!("{}\n", args.join(" ")),
        },
        "printf" => {
            let mut rest = args.iter().skip(1);
            let mut text = String::new();
            let format = args.first().map(|f| f.replace("\\n", "\n").replace("\\t", "\t"));
            for (index, part) in format.unwrap_or_default().split("%s").enumerate() {
                if index > 0 {
                    text.push_str(rest.next().map_or("", String::as_str));
                }
                text.push_str(part);
            }
            text
        }
        "pwd" => format!("{}\n", shell.directory),
        "hostname" => format!("{}\n", shell.place.hostname),
        "whoami" => match user(shell) {
            "0" => "root\n".to_owned(),
            other => format!("{other}\n"),
        },
        _ => match user(shell) {
            "0" => "uid=0(root) gid=0(root) groups=0(root)\n".to_owned(),
            other => format!("uid={other} gid=0(root) groups=0(root)\n"),
        },
    }
}

fn user(shell: &Shell) -> &str {
    match shell.place.behaviour.user.as_deref() {
        None | Some("" | "root") => "0",
        Some(user) => user,
    }
}

async fn environment(shell: &mut Shell, args: &[String], sinks: &mut Sinks) -> i64 {
    let mut text = String::new();
    match args.first() {
        Some(name) => match shell.env.get(name) {
            Some(value) => writeln!(text, "{value}").expect("a string takes it"),
            None => return 1,
        },
        None => {
            for (name, value) in &shell.env {
                writeln!(text, "{name}={value}").expect("a string takes it");
            }
        }
    }
    shell.write(&mut sinks.out, text).await;
    0
}

async fn cat(shell: &mut Shell, args: &[String], sinks: &mut Sinks) -> i64 {
    let mut code = 0;
    let from_client = ["-".to_owned()];
    for name in if args.is_empty() { &from_client } else { args } {
        if name == "-" {
            while let Some(bytes) = shell.input.next().await {
                shell.write(&mut sinks.out, bytes).await;
            }
            continue;
        }
        let complaint = match shell.place.files.get(&join(&shell.directory, name)) {
            Some(Entry::File(bytes)) => {
                shell.write(&mut sinks.out, bytes).await;
                continue;
            }
            Some(Entry::Directory) => format!("cat: read error: Is a directory: {name}\n"),
            None => format!("cat: can't open '{name}': No such file or directory\n"),
        };
        shell.write(&mut sinks.errors, complaint).await;
        code = 1;
    }
    code
}

async fn ls(shell: &mut Shell, args: &[String], sinks: &mut Sinks) -> i64 {
    let here = [".".to_owned()];
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let names = if names.is_empty() { here.iter().collect() } else { names };
    let mut code = 0;
    for name in names {
        let path = join(&shell.directory, name);
        match shell.place.files.get(&path) {
            Some(Entry::File(_)) => shell.write(&mut sinks.out, format!("{name}\n")).await,
            Some(Entry::Directory) => {
                for inside in shell.place.files.list(&path) {
                    shell.write(&mut sinks.out, format!("{inside}\n")).await;
                }
            }
            None => {
                let text = format!("ls: {name}: No such file or directory\n");
                shell.write(&mut sinks.errors, text).await;
                code = 1;
            }
        }
    }
    code
}

async fn cd(shell: &mut Shell, args: &[String], sinks: &mut Sinks) -> i64 {
    let name = args.first().map_or("/", String::as_str);
    let path = join(&shell.directory, name);
    if shell.place.files.get(&path) == Some(Entry::Directory) {
        shell.directory = path;
        return 0;
    }
    let text = format!("sh: cd: can't cd to {name}: No such file or directory\n");
    shell.write(&mut sinks.errors, text).await;
    2
}

/// `mkdir` and `rm`.
async fn change(shell: &mut Shell, program: &str, args: &[String], sinks: &mut Sinks) -> i64 {
    let mut code = 0;
    let quiet = args.iter().any(|arg| arg.starts_with('-') && arg.contains('f'));
    for name in args.iter().filter(|arg| !arg.starts_with('-')) {
        let path = join(&shell.directory, name);
        let files = &shell.place.files;
        let done =
            if program == "mkdir" { files.make_directory(&path) } else { files.remove(&path) };
        if !done && !quiet {
            let text = format!("{program}: can't work on '{name}': No such file or directory\n");
            shell.write(&mut sinks.errors, text).await;
            code = 1;
        }
    }
    code
}

/// What `test` is asked.
fn holds(shell: &Shell, args: &[String]) -> bool {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let entry = |name: &str| shell.place.files.get(&join(&shell.directory, name));
    match words.as_slice() {
        ["!", ..] => !holds(shell, &args[1..]),
        ["-d", name] => entry(name) == Some(Entry::Directory),
        ["-e", name] => entry(name).is_some(),
        ["-f" | "-r" | "-s", name] => matches!(entry(name), Some(Entry::File(_))),
        ["-n", text] | [text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        [left, "=" | "==", right] => left == right,
        [left, "!=", right] => left != right,
        [left, "-eq", right] => left.parse::<i64>() == right.parse::<i64>(),
        _ => false,
    }
}

/// `tar cf -` and `tar xf -`, as `kubectl cp` and `oc rsync` call them.
async fn tar(shell: &mut Shell, args: &[String], sinks: &mut Sinks) -> i64 {
    let mut directory = shell.directory.clone();
    let (mut pack, mut unpack) = (false, false);
    let mut names = Vec::new();
    let mut rest = args.iter().enumerate();
    while let Some((index, arg)) = rest.next() {
        match arg.as_str() {
            "-C" => {
                let to = rest.next().map_or("/", |(_, to)| to.as_str());
                directory = join(&directory, to);
            }
            "-" => {}
            flags if index == 0 || flags.starts_with('-') => {
                pack |= flags.contains('c');
                unpack |= flags.contains('x');
            }
            name => names.push(name.to_owned()),
        }
    }
    let result = if unpack {
        let mut archive = Vec::new();
        while let Some(bytes) = shell.input.next().await {
            if archive.len() + bytes.len() > 4 * MOST_CAPTURED {
                break;
            }
            archive.extend_from_slice(&bytes);
        }
        shell.place.files.unpack(&directory, &archive)
    } else if pack {
        match shell.place.files.pack(&directory, &names) {
            Ok(archive) => {
                shell.write(&mut sinks.out, archive).await;
                Ok(())
            }
            Err(text) => Err(text),
        }
    } else {
        Err("must specify one of -c, -x".to_owned())
    };
    let Err(text) = result else { return 0 };
    shell.write(&mut sinks.errors, format!("tar: {text}\n")).await;
    2
}

async fn sh(shell: &mut Shell, args: &[String], sinks: &mut Sinks) -> i64 {
    let flags = args.iter().take_while(|arg| arg.starts_with('-')).count();
    let with_script = args[..flags].iter().any(|flag| flag.ends_with('c'));
    match args.get(flags) {
        Some(script) if with_script => Box::pin(shell.script(script, sinks)).await,
        Some(file) => match shell.place.files.get(&join(&shell.directory, file)) {
            Some(Entry::File(bytes)) => {
                let script = String::from_utf8_lossy(&bytes).into_owned();
                Box::pin(shell.script(&script, sinks)).await
            }
            _ => {
                let text = format!("sh: can't open '{file}': No such file or directory\n");
                shell.write(&mut sinks.errors, text).await;
                2
            }
        },
        None => Box::pin(shell.interactive(sinks)).await,
    }
}
