//! Names, labels and metadata that are refused, in upstream's words.

use super::*;

fn check(rule: fn(&str) -> Vec<String>, good: &[&str], bad: &[(&str, &str)]) {
    for text in good {
        assert_eq!(rule(text), Vec::<String>::new(), "{text:?}");
    }
    for (text, part) in bad {
        let errors = rule(text);
        assert!(errors.iter().any(|error| error.contains(part)), "{text:?}: {errors:?}");
    }
}

#[test]
fn messages_are_upstreams() {
    assert_eq!(
        dns1123_label("A"),
        ["a DNS-1123 label must consist of lower case alphanumeric characters or '-', and must \
          start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used \
          for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"]
    );
    assert_eq!(
        dns1123_subdomain("a_b"),
        [
            "a DNS-1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
          must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
          validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ]
    );
    assert_eq!(port_number(0), ["must be between 1 and 65535, inclusive"]);
}

#[test]
fn names_follow_their_rules() {
    check(
        dns1123_label,
        &["a", "1a", "a--1", &"a".repeat(63)],
        &[("", "DNS-1123"), ("a.b", "DNS-1123"), (&"a".repeat(64), "no more than 63")],
    );
    check(
        dns1123_subdomain,
        &["a", "a.b", "0.1.2", "a-b.c"],
        &[("a..b", "subdomain"), (".a", "subdomain"), ("a-.b", "subdomain")],
    );
    check(dns1035_label, &["a", "a-1"], &[("1a", "DNS-1035"), ("a-", "DNS-1035")]);
    check(
        qualified_name,
        &["simple", "now.with.dots/simple", "UpperCase_1"],
        &[
            ("", "name part must be non-empty"),
            ("/simple", "prefix part must be non-empty"),
            ("example.com/", "name part must be non-empty"),
            ("a/b/c", "with an optional DNS subdomain prefix and '/'"),
            ("A.com/x", "prefix part a DNS-1123"),
            ("a-", "name part must consist"),
        ],
    );
    check(label_value, &["", "MyValue", "1"], &[("-a", "a valid label"), ("a b", "a valid label")]);
    check(wildcard_dns1123_subdomain, &["*.example.com"], &[("*.*.com", "wildcard"), ("*a", "w")]);
    check(path_segment_name, &["a:b", "ä"], &[(".", "may not be '.'"), ("a/b", "contain '/'")]);
}

#[test]
fn keys_and_ports_follow_their_rules() {
    check(
        env_var_name,
        &["my.env", "_A", "-"],
        &[("1a", "environment variable"), ("..", "must not be '..'"), ("..a", "must not start")],
    );
    check(config_map_key, &["a.b", ".x"], &[("", "config key"), (".", "must not be '.'")]);
    check(c_identifier, &["_a1"], &[("1", "C identifier"), ("", "C identifier")]);
    check(
        port_name,
        &["http", "1-a"],
        &[
            ("abcdefghijklmnop", "no more than 15"),
            ("1-2", "at least one letter"),
            ("a--b", "consecutive"),
            ("-a", "begin or end"),
            ("A", "alpha-numeric"),
        ],
    );
    check(ip_address, &["10.0.0.1", "::1"], &[("10.0.0", "valid IP"), ("a", "valid IP")]);
    check(percent, &["0%", "100%"], &[("%", "percent"), ("-1%", "percent"), ("1", "percent")]);
    check(http_header_name, &["X-A"], &[("", "HTTP header"), ("X A", "HTTP header")]);
    let texts = fully_qualified_name("k8s.io", &Path::new("name"));
    assert!(texts[0].to_string().contains("at least three segments"));
}
