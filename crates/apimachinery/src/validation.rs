//! Rules for names and other texts, worded as upstream words them.
//!
//! A rule takes the text and gives the complaints, none when the text is fine. Metadata as a whole
//! is checked by [`object_meta`].
//!
//! Mirrors: `k8s.io/apimachinery/pkg/util/validation`.

pub mod object_meta;

use std::net::IpAddr;

use crate::field::{self, ErrorList, Path};

/// The longest DNS-1123 label.
pub const LABEL_MAX: usize = 63;
/// The longest DNS-1123 subdomain.
pub const SUBDOMAIN_MAX: usize = 253;

const DNS_LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_NAME: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// `must be no more than <max> characters`.
#[must_use]
pub fn max_len_error(max: usize) -> String {
    format!("must be no more than {max} characters")
}

/// `must be between <low> and <high>, inclusive`.
#[must_use]
pub fn range_error(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// The complaint about a text that does not match `pattern`, with examples of texts that do.
#[must_use]
pub fn regex_error(rule: &str, pattern: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{rule} (regex used for validation is '{pattern}')");
    }
    let list: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{rule} (e.g. {}regex used for validation is '{pattern}')", list.join(" or "))
}

fn all(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(allowed)
}

fn lower_alnum(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Whether `text` is non-empty, made of `inner` bytes, and starts and ends with an `edge` byte.
fn framed(text: &str, edge: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|byte| edge(*byte))
        && bytes.last().is_some_and(|byte| edge(*byte))
        && bytes.iter().all(|byte| inner(*byte))
}

fn matches_dns_label(text: &str) -> bool {
    framed(text, lower_alnum, |byte| lower_alnum(byte) || byte == b'-')
}

fn matches_dns_subdomain(text: &str) -> bool {
    text.split('.').all(matches_dns_label)
}

fn matches_qualified_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    framed(text, |byte| byte.is_ascii_alphanumeric(), inner)
}

fn check(text: &str, max: usize, good: bool, complaint: impl FnOnce() -> String) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > max {
        errors.push(max_len_error(max));
    }
    if !good {
        errors.push(complaint());
    }
    errors
}

/// A DNS-1123 label: namespaces, containers, volumes.
#[must_use]
pub fn dns1123_label(text: &str) -> Vec<String> {
    check(text, LABEL_MAX, matches_dns_label(text), || {
        let rule = "a DNS-1123 label must consist of lower case alphanumeric characters or '-', \
                    and must start and end with an alphanumeric character";
        regex_error(rule, DNS_LABEL, &["my-name", "123-abc"])
    })
}

/// A DNS-1123 subdomain: most object names.
#[must_use]
pub fn dns1123_subdomain(text: &str) -> Vec<String> {
    check(text, SUBDOMAIN_MAX, matches_dns_subdomain(text), || {
        let rule = "a DNS-1123 subdomain must consist of lower case alphanumeric characters, '-' \
                    or '.', and must start and end with an alphanumeric character";
        regex_error(rule, &format!("{DNS_LABEL}(\\.{DNS_LABEL})*"), &["example.com"])
    })
}

/// `*.` followed by a DNS-1123 subdomain: wildcard hosts of ingresses.
#[must_use]
pub fn wildcard_dns1123_subdomain(text: &str) -> Vec<String> {
    if text.strip_prefix("*.").is_some_and(matches_dns_subdomain) {
        return Vec::new();
    }
    let rule = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS \
                subdomain, which must consist of lower case alphanumeric characters, '-' or '.' \
                and end with an alphanumeric character";
    let pattern = format!("\\*\\.{DNS_LABEL}(\\.{DNS_LABEL})*");
    vec![regex_error(rule, &pattern, &["*.example.com"])]
}

/// A DNS-1035 label: service names.
#[must_use]
pub fn dns1035_label(text: &str) -> Vec<String> {
    let good = matches_dns_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase());
    check(text, LABEL_MAX, good, || {
        let rule = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', \
                    start with an alphabetic character, and end with an alphanumeric character";
        regex_error(rule, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"])
    })
}

/// A key of labels, annotations, finalizers: `[<DNS subdomain>/]<name>`.
#[must_use]
pub fn qualified_name(text: &str) -> Vec<String> {
    let pattern_error = || {
        let rule = "must consist of alphanumeric characters, '-', '_' or '.', and must start and \
                    end with an alphanumeric character";
        regex_error(rule, QUALIFIED_NAME, &["MyName", "my.name", "123-abc"])
    };
    let mut errors = Vec::new();
    let name = match *text.split('/').collect::<Vec<_>>() {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                let complaints = dns1123_subdomain(prefix);
                errors.extend(complaints.iter().map(|text| format!("prefix part {text}")));
            }
            name
        }
        _ => {
            let text = pattern_error();
            let optional = "with an optional DNS subdomain prefix and '/' (e.g. \
                            'example.com/MyName')";
            return vec![format!("a qualified name {text} {optional}")];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        errors.push(format!("name part {}", max_len_error(LABEL_MAX)));
    }
    if !matches_qualified_name(name) {
        errors.push(format!("name part {}", pattern_error()));
    }
    errors
}

/// The value of a label; may be empty.
#[must_use]
pub fn label_value(text: &str) -> Vec<String> {
    check(text, LABEL_MAX, text.is_empty() || matches_qualified_name(text), || {
        let rule = "a valid label must be an empty string or consist of alphanumeric characters, \
                    '-', '_' or '.', and must start and end with an alphanumeric character";
        let pattern = format!("({QUALIFIED_NAME})?");
        regex_error(rule, &pattern, &["MyValue", "my_value", "12345"])
    })
}

/// A C identifier: keys of some volume and parameter names.
#[must_use]
pub fn c_identifier(text: &str) -> Vec<String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    check(text, usize::MAX, starts && all(text, inner), || {
        let rule = "a valid C identifier must start with alphabetic character or '_', followed by \
                    a string of alphanumeric characters or '_'";
        regex_error(rule, "[A-Za-z_][A-Za-z0-9_]*", &["my_name", "MY_NAME", "MyName"])
    })
}

fn key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

fn directory_change(text: &str) -> Option<String> {
    match text {
        "." => Some("must not be '.'".to_owned()),
        ".." => Some("must not be '..'".to_owned()),
        _ if text.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    }
}

/// The name of an environment variable of a container.
#[must_use]
pub fn env_var_name(text: &str) -> Vec<String> {
    let starts = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    let mut errors = check(text, usize::MAX, starts && all(text, key_byte), || {
        let rule = "a valid environment variable name must consist of alphabetic characters, \
                    digits, '_', '-', or '.', and must not start with a digit";
        let examples = ["my.env-name", "MY_ENV.NAME", "MyEnvName1"];
        regex_error(rule, "[-._a-zA-Z][-._a-zA-Z0-9]*", &examples)
    });
    errors.extend(directory_change(text));
    errors
}

/// A key in the data of a config map or secret.
#[must_use]
pub fn config_map_key(text: &str) -> Vec<String> {
    let good = !text.is_empty() && all(text, key_byte);
    let mut errors = check(text, SUBDOMAIN_MAX, good, || {
        let rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        regex_error(rule, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"])
    });
    errors.extend(directory_change(text));
    errors
}

/// The name of a header in an HTTP probe.
#[must_use]
pub fn http_header_name(text: &str) -> Vec<String> {
    let good = !text.is_empty() && all(text, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    check(text, usize::MAX, good, || {
        let rule = "a valid HTTP header must consist of alphanumeric characters or '-'";
        regex_error(rule, "[-A-Za-z0-9]+", &["X-Header-Name"])
    })
}

/// A port number.
#[must_use]
pub fn port_number(port: i64) -> Vec<String> {
    in_range(port, 1, 65535)
}

/// An integer between `low` and `high`.
#[must_use]
pub fn in_range(value: i64, low: i64, high: i64) -> Vec<String> {
    if (low..=high).contains(&value) { Vec::new() } else { vec![range_error(low, high)] }
}

/// A numeric user or group id.
#[must_use]
pub fn user_id(id: i64) -> Vec<String> {
    in_range(id, 0, i64::from(i32::MAX))
}

/// The name of a container port (an IANA service name).
#[must_use]
pub fn port_name(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > 15 {
        errors.push(max_len_error(15));
    }
    if text.is_empty() || !all(text, |byte| lower_alnum(byte) || byte == b'-') {
        let rule = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
        errors.push(rule.to_owned());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        errors.push("must contain at least one letter or number (a-z, 0-9)".to_owned());
    }
    if text.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

/// An IPv4 or IPv6 address.
#[must_use]
pub fn ip_address(text: &str) -> Vec<String> {
    if text.parse::<IpAddr>().is_ok() {
        return Vec::new();
    }
    vec!["must be a valid IP address, (e.g. 10.9.8.7)".to_owned()]
}

/// A percentage such as `25%`.
#[must_use]
pub fn percent(text: &str) -> Vec<String> {
    let digits = text.strip_suffix('%').unwrap_or_default();
    let good = !digits.is_empty() && all(digits, |byte| byte.is_ascii_digit());
    check(text, usize::MAX, good, || {
        let rule = "a valid percent string must be a numeric string followed by an ending '%'";
        regex_error(rule, "[0-9]+%", &["1%", "93%"])
    })
}

/// A name that is one segment of a URL path: roles, image stream tags, users.
#[must_use]
pub fn path_segment_name(text: &str) -> Vec<String> {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    path_segment_prefix(text)
}

/// The beginning of a path segment name.
#[must_use]
pub fn path_segment_prefix(text: &str) -> Vec<String> {
    let banned = ["/", "%"].into_iter().filter(|part| text.contains(part));
    banned.map(|part| format!("may not contain '{part}'")).collect()
}

/// A domain of at least three segments: names of admission webhooks.
#[must_use]
pub fn fully_qualified_name(text: &str, path: &Path) -> ErrorList {
    if text.is_empty() {
        return vec![field::Error::required(path, "")];
    }
    let complaints = dns1123_subdomain(text);
    if !complaints.is_empty() {
        return vec![field::Error::invalid(path, text, &complaints.join(","))];
    }
    if text.split('.').count() < 3 {
        let rule = "should be a domain with at least three segments separated by dots";
        return vec![field::Error::invalid(path, text, rule)];
    }
    Vec::new()
}

#[cfg(test)]
mod tests;
