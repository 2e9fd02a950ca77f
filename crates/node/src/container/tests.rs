//! What the runtime is told about containers and sandboxes.

use apimachinery::{Text, json};

use super::*;

#[test]
fn scores_for_the_day_when_memory_runs_out() {
    let pod = |resources: Value| json!({"spec": {"containers": [{"resources": resources}]}});
    let both = json!({"cpu": "1", "memory": "1Gi"});
    let gib = 1 << 30;
    for (resources, expected) in [
        (json!({}), 1000),
        (json!({"requests": both, "limits": both}), -998),
        (json!({"requests": {"memory": "1Gi"}}), 750),
        (json!({"requests": {"memory": "1"}}), 999),
        (json!({"requests": {"memory": "8Gi"}}), 2),
        (json!({"requests": {"cpu": "1"}}), 999),
    ] {
        let pod = pod(resources);
        let container = &pod["spec"]["containers"][0];
        assert_eq!(oom_score_adj(&pod, container, 4 * gib), expected, "{container}");
    }
}

#[test]
fn who_must_not_be_root() {
    let check = |pod: Value, container: Value, user: &str| {
        let (id, tag, repo_digest) = (Text::new(), Text::new(), Text::new());
        let image = Image { id, tag, repo_digest, user: user.into() };
        let pod = json!({"spec": {"securityContext": pod}});
        let container = json!({"securityContext": container});
        check_non_root(&pod, &container, &image).err().map(|error| error.to_string())
    };
    let must = || json!({"runAsNonRoot": true});
    let root = Some("container has runAsNonRoot and image will run as root".to_owned());
    assert_eq!(check(json!({}), json!({}), ""), None);
    assert_eq!(check(must(), json!({}), ""), root);
    assert_eq!(check(must(), json!({}), "0:5"), root);
    assert_eq!(check(must(), json!({}), "1001"), None);
    assert_eq!(check(must(), json!({"runAsNonRoot": false}), ""), None);
    assert_eq!(check(must(), json!({"runAsUser": 5}), "0"), None);
    let breaks = "container's runAsUser breaks non-root policy";
    assert_eq!(check(must(), json!({"runAsUser": 0}), "").as_deref(), Some(breaks));
    let unknown = "container has runAsNonRoot and image has non-numeric user (www), cannot verify user is non-root";
    assert_eq!(check(must(), json!({}), "www").as_deref(), Some(unknown));
}

#[test]
fn resolvers_by_policy() {
    let dns_of = dns;
    let dns = |spec: Value| {
        let Dns { servers, searches, options } =
            dns_of(&json!({"metadata": {"namespace": "n"}, "spec": spec}));
        format!("{} | {} | {}", servers.join(" "), searches.join(" "), options.join(" "))
    };
    let cluster = " | n.svc.cluster.local svc.cluster.local cluster.local | ndots:5";
    assert_eq!(dns(json!({"dnsPolicy": "ClusterFirst"})), cluster);
    assert_eq!(dns(json!({"dnsPolicy": "ClusterFirst", "hostNetwork": true})), " |  | ");
    let with_host = json!({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true});
    assert_eq!(dns(with_host), cluster);
    assert_eq!(dns(json!({"dnsPolicy": "Default"})), " |  | ");
    let own = json!({"nameservers": ["1.1.1.1"], "searches": ["a.b"],
                     "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]});
    assert_eq!(
        dns(json!({"dnsPolicy": "None", "dnsConfig": own})),
        "1.1.1.1 | a.b | ndots:2 edns0"
    );
    assert_eq!(
        dns(json!({"dnsPolicy": "ClusterFirst", "dnsConfig": own})),
        "1.1.1.1 | n.svc.cluster.local svc.cluster.local cluster.local a.b | ndots:2 edns0"
    );
}

#[test]
fn a_sandbox_is_named_and_tuned_as_its_pod_says() {
    let pod = json!({
        "metadata": {"name": "p", "namespace": "n",
                     "annotations": {"security.alpha.kubernetes.io/sysctls": "a.b=1,c=2"}},
        "spec": {
            "hostname": "web", "subdomain": "sub",
            "hostAliases": [{"ip": "10.0.0.9", "hostnames": ["x", "y"]}],
            "securityContext": {"fsGroup": 7, "sysctls": [{"name": "c", "value": "3"}]},
        },
    });
    let config = sandbox_config(&pod, 0, Vec::new());
    assert_eq!(
        (config.hostname.as_str(), config.domain.as_str()),
        ("web", "sub.n.svc.cluster.local")
    );
    assert_eq!(
        config.host_aliases,
        [("10.0.0.9".to_owned(), vec!["x".to_owned(), "y".to_owned()])]
    );
    let sysctls: Vec<String> = config.sysctls.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(sysctls, ["a.b=1", "c=3"]);
    assert_eq!(config.fs_group, Some(7));
}

#[test]
fn host_ports_of_a_node_among_others_are_at_its_address() {
    let pod = json!({"spec": {"containers": [{"ports": [
        {"containerPort": 80, "hostPort": 8080, "protocol": "TCP"},
        {"containerPort": 81, "hostPort": 8081, "protocol": "TCP", "hostIP": "0.0.0.0"},
    ]}]}});
    let mut config = sandbox_config(&pod, 0, Vec::new());
    publish_at(&mut config.ports, "127.0.0.3");
    let at: Vec<&str> = config.ports.iter().map(|port| port.host_ip.as_str()).collect();
    assert_eq!(at, ["127.0.0.3", "0.0.0.0"]);
}
