//! A small shell script taken apart into commands.
//!
//! Understood are words with quotes and variables, `;`, `&&`, `||`, `|`, `>`, `>>`, `>&2`, `2>&1`.
//! There is no flow control.
//!
//! Invariant: pure; every script gives commands or a complaint.

/// One command of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How it hangs on the one before.
    pub join: Join,
    /// The program and its arguments.
    pub words: Vec<Word>,
    /// Where its output goes.
    pub redirects: Vec<Redirect>,
    /// Whether its output goes to the next one.
    pub piped: bool,
}

/// A word: texts and variables side by side.
pub type Word = Vec<Piece>;

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// The value of the variable of this name; `?` is the last exit code.
    Variable(String),
}

/// How a command hangs on the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// After it.
    Always,
    /// After it went well.
    And,
    /// After it failed.
    Or,
    /// It reads what that one writes.
    Pipe,
}

/// Where output goes instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// `>&2`.
    OutToErrors,
    /// `2>&1`.
    ErrorsToOut,
    /// `> name` or `>> name`.
    File {
        /// The file.
        name: Word,
        /// Whether what is in it stays.
        append: bool,
    },
}

/// A word or a sign between words.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(Word),
    Sign(&'static str),
}

/// Signs between words, longer ones first.
const SIGNS: [&str; 12] = ["1>&2", "2>&1", ">&2", "&&", "||", ">>", "|", ";", "\n", ">", "&", "<"];

/// The script that a container of this command runs, if it is `sh -c <script>`.
#[must_use]
pub fn of_shell(command: &[String]) -> Option<&str> {
    let [shell, flag, script] = command else { return None };
    let shells = ["sh", "/bin/sh", "bash", "/bin/bash"];
    let flags = ["-c", "-ec", "-lc", "-xc", "-exc"];
    (shells.contains(&shell.as_str()) && flags.contains(&flag.as_str())).then_some(script)
}

/// The commands of `script`.
///
/// # Errors
/// What is wrong with it.
pub fn steps(script: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut step = empty(Join::Always);
    let mut tokens = tokens(script)?.into_iter();
    while let Some(token) = tokens.next() {
        let join = match token {
            Token::Word(word) => {
                step.words.push(word);
                continue;
            }
            Token::Sign("1>&2" | ">&2") => {
                step.redirects.push(Redirect::OutToErrors);
                continue;
            }
            Token::Sign("2>&1") => {
                step.redirects.push(Redirect::ErrorsToOut);
                continue;
            }
            Token::Sign(sign @ (">" | ">>")) => {
                let Some(Token::Word(name)) = tokens.next() else { return Err(unexpected(sign)) };
                step.redirects.push(Redirect::File { name, append: sign == ">>" });
                continue;
            }
            Token::Sign(";" | "\n") => Join::Always,
            Token::Sign("&&") => Join::And,
            Token::Sign("||") => Join::Or,
            Token::Sign("|") => Join::Pipe,
            Token::Sign(sign) => return Err(unexpected(sign)),
        };
        let blank = step.words.is_empty() && step.redirects.is_empty();
        if blank && join != Join::Always {
            return Err(unexpected("operator"));
        }
        step.piped = join == Join::Pipe;
        let done = std::mem::replace(&mut step, empty(join));
        if !blank {
            steps.push(done);
        }
    }
    let blank = step.words.is_empty() && step.redirects.is_empty();
    match (blank, step.join) {
        (true, Join::Always) => {}
        (true, _) => return Err(unexpected("end of file")),
        (false, _) => steps.push(step),
    }
    Ok(steps)
}

/// The text of `word`; `variable` gives the values.
pub fn expand<'a>(word: &'a Word, mut variable: impl FnMut(&str) -> Option<&'a str>) -> String {
    let pieces = word.iter().map(|piece| match piece {
        Piece::Text(text) => text.as_str(),
        Piece::Variable(name) => variable(name).unwrap_or_default(),
    });
    pieces.collect()
}

fn empty(join: Join) -> Step {
    Step { join, words: Vec::new(), redirects: Vec::new(), piped: false }
}

fn unexpected(what: &str) -> String {
    format!("syntax error: unexpected {what:?}")
}

fn tokens(script: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = script;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r']);
        if rest.starts_with('#') {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        }
        if rest.is_empty() {
            return Ok(tokens);
        }
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
            continue;
        }
        let (word, after) = word(rest)?;
        tokens.push(Token::Word(word));
        rest = after;
    }
}

/// The word at the beginning of `text`, and what follows it.
fn word(text: &str) -> Result<(Word, &str), String> {
    let mut pieces = Word::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        match letter {
            ' ' | '\t' | '\r' | '\n' | ';' | '|' | '&' | '>' | '<' => break,
            '\'' => {
                let end = after.find('\'').ok_or("syntax error: unterminated quoted string")?;
                push(&mut pieces, &after[..end]);
                rest = &after[end + 1..];
            }
            '"' => rest = quoted(&mut pieces, after)?,
            '\\' => {
                let next = after.chars().next().map_or(0, char::len_utf8);
                push(&mut pieces, &after[..next]);
                rest = &after[next..];
            }
            '$' => rest = variable(&mut pieces, after),
            _ => {
                push(&mut pieces, &rest[..letter.len_utf8()]);
                rest = after;
            }
        }
    }
    if pieces.is_empty() {
        push(&mut pieces, "");
    }
    Ok((pieces, rest))
}

fn quoted<'a>(pieces: &mut Word, text: &'a str) -> Result<&'a str, String> {
    push(pieces, "");
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        match letter {
            '"' => return Ok(after),
            '$' => rest = variable(pieces, after),
            '\\' if after.starts_with(['"', '\\', '$', '`']) => {
                push(pieces, &after[..1]);
                rest = &after[1..];
            }
            _ => {
                push(pieces, &rest[..letter.len_utf8()]);
                rest = after;
            }
        }
    }
    Err("syntax error: unterminated quoted string".to_owned())
}

fn variable<'a>(pieces: &mut Word, text: &'a str) -> &'a str {
    if let Some(after) = text.strip_prefix('?') {
        pieces.push(Piece::Variable("?".to_owned()));
        return after;
    }
    if let Some((name, after)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        pieces.push(Piece::Variable(name.to_owned()));
        return after;
    }
    let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let end = text.find(|letter| !letters(letter)).unwrap_or(text.len());
    if end == 0 {
        push(pieces, "$");
    } else {
        pieces.push(Piece::Variable(text[..end].to_owned()));
    }
    &text[end..]
}

fn push(pieces: &mut Word, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}
