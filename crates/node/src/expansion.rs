//! `$(NAME)` references in values, commands and arguments.
//!
//! Mirrors: `k8s.io/kubernetes/third_party/forked/golang/expansion`.

use std::collections::BTreeMap;

/// `text` with each `$(NAME)` replaced by its value; unknown names stay, `$$` stands for `$`.
#[must_use]
pub fn expand(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some((name, tail)) = after.strip_prefix('(').and_then(|s| s.split_once(')')) {
            match values.get(name) {
                Some(value) => out.push_str(value),
                None => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced() {
        let values = BTreeMap::from([
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), "$(A)".to_owned()),
            ("EMPTY".to_owned(), String::new()),
        ]);
        for (text, expected) in [
            ("plain", "plain"),
            ("$(A)", "1"),
            ("x$(A)$(A)y", "x11y"),
            ("$(B)", "$(A)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$(NOPE)", "$(NOPE)"),
            ("[$(EMPTY)]", "[]"),
            ("$(A", "$(A"),
            ("$A", "$A"),
            ("end$", "end$"),
            ("$()", "$()"),
            ("$(A$(B)", "$(A$(B)"),
            ("$(A$(B))", "$(A$(B))"),
            ("--$($($($($--", "--$($($($($--"),
            ("$$$$$$$(A)", "$$$1"),
            ("${A}", "${A}"),
        ] {
            assert_eq!(expand(text, &values), expected, "{text}");
        }
    }
}
