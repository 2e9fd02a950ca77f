//! What is wrong with a file of the user, and where.
//!
//! Invariant: lines and columns count from 1; the text reads `file:line:column: message`.

use std::fmt;
use std::path::{Path, PathBuf};

/// A problem at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The line itself, for showing.
    pub source: String,
}

impl Diagnostic {
    /// A problem at a place of `text`, the contents of `file`.
    #[must_use]
    pub fn at(file: &Path, text: &str, line: usize, column: usize, message: String) -> Self {
        let source = text.lines().nth(line.saturating_sub(1)).unwrap_or_default().to_owned();
        Self { file: file.to_owned(), line, column, message, source }
    }

    /// A problem with a file as a whole.
    #[must_use]
    pub fn file(file: &Path, message: String) -> Self {
        let source = String::new();
        Self { file: file.to_owned(), line: 0, column: 0, message, source }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        if self.line == 0 {
            return write!(f, "{file}: {}", self.message);
        }
        write!(f, "{file}:{}:{}: {}", self.line, self.column, self.message)?;
        if !self.source.is_empty() {
            let margin = " ".repeat(self.line.to_string().len());
            let caret = " ".repeat(self.column.saturating_sub(1));
            write!(f, "\n{margin} |\n{} | {}\n{margin} | {caret}^", self.line, self.source)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
