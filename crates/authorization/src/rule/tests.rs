//! Representative rows of upstream's tables.

use super::*;

fn rule(verbs: &str, groups: &str, resources: &str, names: &str, urls: &str) -> Rule {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(' ').filter(|word| !word.is_empty());
        words.map(|word| if word == "core" { String::new() } else { word.to_owned() }).collect()
    };
    Rule {
        verbs: words(verbs),
        groups: words(groups),
        resources: words(resources),
        names: words(names),
        urls: words(urls),
    }
}

fn about<'a>(group: &'a str, resource: &'a str, sub: &'a str, name: &'a str) -> Access<'a> {
    let target = ResourceTarget { group, resource, subresource: sub, namespace: "ns", name };
    Access::resource("get", target)
}

#[test]
fn rules_allow_what_they_name() {
    let pods = about("", "pods", "", "");
    let log = about("", "pods", "log", "");
    let scale = about("apps", "deployments", "scale", "");
    let named = about("", "pods", "", "a");
    for (rule, access, expect) in [
        (rule("get", "core", "pods", "", ""), pods, true),
        (rule("*", "*", "*", "", ""), log, true),
        (rule("list", "core", "pods", "", ""), pods, false),
        (rule("get", "apps", "pods", "", ""), pods, false),
        (rule("get", "core", "pods", "", ""), log, false),
        (rule("get", "core", "pods/log", "", ""), log, true),
        (rule("get", "core", "pods/log", "", ""), pods, false),
        (rule("get", "core", "pods/*", "", ""), log, false),
        (rule("get", "core", "*/log", "", ""), log, true),
        (rule("get", "*", "*/scale", "", ""), scale, true),
        (rule("get", "*", "*/scale", "", ""), about("apps", "deployments", "", ""), false),
        (rule("get", "core", "pods", "a b", ""), named, true),
        (rule("get", "core", "pods", "b", ""), named, false),
        (rule("get", "core", "pods", "b", ""), pods, false),
        (rule("get", "core", "", "", "*"), pods, false),
    ] {
        assert_eq!(rule.allows(&access), expect, "{rule} {access:?}");
    }
}

#[test]
fn paths_match_as_a_whole_or_by_their_beginning() {
    for (url, path, expect) in [
        ("*", "/version", true),
        ("/apis", "/apis", true),
        ("/apis", "/apis/apps", false),
        ("/apis/*", "/apis/apps", true),
        ("/apis/*", "/apis", false),
        ("/a*", "/apis", true),
    ] {
        let rule = rule("get", "", "", "", url);
        assert_eq!(rule.allows(&Access::path("get", path)), expect, "{url} {path}");
        assert!(!rule.allows(&Access::path("post", path)));
    }
}

#[test]
fn what_is_missing_is_told_part_by_part() {
    let check = |owned: &[Rule], wanted: Rule, expect: &str| {
        assert_eq!(go_list(&missing(owned, &[wanted])), expect);
    };
    let owned =
        [rule("get list", "core", "pods */log", "", ""), rule("*", "apps", "*", "", "/healthz/*")];
    check(&owned, rule("get list", "core", "pods", "", ""), "[]");
    check(&owned, rule("get", "core", "pods", "a", ""), "[]");
    check(&owned, rule("get", "core", "services/log", "", ""), "[]");
    check(&owned, rule("delete", "apps", "deployments/scale", "", ""), "[]");
    check(&owned, rule("get", "", "", "", "/healthz/ready"), "[]");
    check(&owned, rule("get delete", "core apps", "pods", "", ""), "[{[delete] [] [pods] [] []}]");
    check(
        &owned,
        rule("get", "core", "secrets", "x y", ""),
        "[{[get] [] [secrets] [x] []} {[get] [] [secrets] [y] []}]",
    );
    check(&owned, rule("*", "*", "*", "", ""), "[{[*] [*] [*] [] []}]");
    let by_name = [rule("get", "core", "pods", "a", "")];
    check(&by_name, rule("get", "core", "pods", "", ""), "[{[get] [] [pods] [] []}]");
    check(&by_name, rule("get", "core", "pods", "b", ""), "[{[get] [] [pods] [b] []}]");
}
