//! The clusters of one `rehearse up`, and options that are about one of them.
//!
//! Invariant: every name is a DNS label and stands once; whatever is named after a cluster (a context,
//! a Docker network, a directory) can be told from that of another.

use anyhow::{Result, bail};

/// The longest name: what is made out of it on an engine must fit into a DNS label too.
const LONGEST: usize = 40;

/// What clusters are called: one without a name, or one or more with names.
#[derive(Debug)]
pub(super) struct Names(Vec<Option<String>>);

/// Reads a name.
pub(super) fn parse(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = text.starts_with(plain) && text.ends_with(plain);
    if ends && text.len() <= LONGEST && text.chars().all(|c| plain(c) || c == '-') {
        return Ok(text.to_owned());
    }
    Err(format!(
        "must be at most {LONGEST} lower case letters, digits and '-', with a letter or digit at both ends"
    ))
}

impl Names {
    pub(super) fn new(given: &[String]) -> Result<Self> {
        let twice = given.iter().enumerate().find(|(at, name)| given[..*at].contains(name));
        if let Some((_, name)) = twice {
            bail!("--name {name} is given twice");
        }
        if given.is_empty() {
            return Ok(Self(vec![None]));
        }
        Ok(Self(given.iter().cloned().map(Some).collect()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.iter().map(Option::as_deref)
    }

    /// The value for cluster `name` among `values`, each `VALUE` for all clusters or `NAME=VALUE` for
    /// one of them.
    pub(super) fn value_of<'a>(&self, values: &'a [String], name: Option<&str>) -> Option<&'a str> {
        let own = values.iter().rev().find_map(|value| match self.addressed(value) {
            (Some(of), rest) if Some(of) == name => Some(rest),
            _ => None,
        });
        let for_all = || values.iter().rev().find(|value| self.addressed(value).0.is_none());
        own.or_else(|| for_all().map(String::as_str))
    }

    /// Refuses one value for several clusters, where each must have its own.
    pub(super) fn each_its_own(&self, option: &str, values: &[String]) -> Result<()> {
        let shared = values.iter().find(|value| self.addressed(value).0.is_none());
        match (shared, self.0.first().and_then(Option::as_deref)) {
            (Some(value), Some(first)) if self.0.len() > 1 => {
                bail!("{option} {value} is for one cluster; say which: {option} {first}={value}")
            }
            _ => Ok(()),
        }
    }

    /// Which cluster a value is for, if it says so.
    fn addressed<'a>(&self, value: &'a str) -> (Option<&'a str>, &'a str) {
        match value.split_once('=') {
            Some((name, rest)) if self.iter().any(|one| one == Some(name)) => (Some(name), rest),
            _ => (None, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(given: &[&str]) -> Names {
        Names::new(&given.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_name_is_a_label_and_stands_once() {
        assert_eq!(parse("dev-2"), Ok("dev-2".to_owned()));
        for bad in ["", "Dev", "-dev", "dev-", "a.b", "a/b", "ä", &"a".repeat(41)] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let twice = ["dev".to_owned(), "prod".to_owned(), "dev".to_owned()];
        assert_eq!(Names::new(&twice).unwrap_err().to_string(), "--name dev is given twice");
    }

    #[test]
    fn a_value_is_for_one_cluster_or_for_all() {
        let names = names(&["dev", "prod"]);
        let values = ["all".to_owned(), "dev=a=b".to_owned()];
        assert_eq!(names.value_of(&values, Some("dev")), Some("a=b"));
        assert_eq!(names.value_of(&values, Some("prod")), Some("all"));
        assert_eq!(names.value_of(&values[1..], Some("prod")), None);
        let refused = names.each_its_own("--audit-log", &values).unwrap_err().to_string();
        assert_eq!(refused, "--audit-log all is for one cluster; say which: --audit-log dev=all");
        assert!(names.each_its_own("--audit-log", &values[1..]).is_ok());
    }

    #[test]
    fn without_names_a_value_is_taken_as_it_is() {
        let names = names(&[]);
        let values = ["dev=file".to_owned()];
        assert_eq!(names.value_of(&values, None), Some("dev=file"));
        assert!(names.each_its_own("--audit-log", &values).is_ok());
    }
}
