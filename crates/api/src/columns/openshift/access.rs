//! Rows of users, access rules, tokens, constraints, quotas and networks.

use std::time::Duration;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value, duration};
use world::Time;

use super::super::{Printer, named, string};
use super::text::{self, NONE, or_none};

pub(super) fn printer(kind: &str) -> Option<&'static Printer> {
    Some(match kind {
        "Role" | "ClusterRole" | "EgressNetworkPolicy" => &NAME_ONLY,
        "RoleBinding" | "ClusterRoleBinding" => &ROLE_BINDING,
        "User" => &USER,
        "Identity" => &IDENTITY,
        "UserIdentityMapping" => &USER_IDENTITY_MAPPING,
        "Group" => &GROUP,
        "OAuthClient" => &OAUTH_CLIENT,
        "OAuthClientAuthorization" => &OAUTH_CLIENT_AUTHORIZATION,
        "OAuthAccessToken" | "OAuthAuthorizeToken" => &OAUTH_TOKEN,
        "ClusterResourceQuota" | "AppliedClusterResourceQuota" => &CLUSTER_RESOURCE_QUOTA,
        "SecurityContextConstraints" => &SECURITY_CONTEXT_CONSTRAINTS,
        "HostSubnet" => &HOST_SUBNET,
        "NetNamespace" => &NET_NAMESPACE,
        "ClusterNetwork" => &CLUSTER_NETWORK,
        _ => return None,
    })
}

static NAME_ONLY: Printer =
    Printer { columns: &[named("NAME")], cells: |object, _| vec![json!(object.name())] };

static ROLE_BINDING: Printer = Printer {
    columns: &[
        named("NAME"),
        string("ROLE"),
        string("USERS"),
        string("GROUPS"),
        string("SERVICE ACCOUNTS"),
        string("SUBJECTS"),
    ],
    cells: role_binding,
};

fn role_binding(binding: &Value, _now: Time) -> Vec<Value> {
    let role = |field: &str| binding.str_at(&["roleRef", field]);
    let subjects = |kind: &str| -> Value {
        let namespace = binding.namespace();
        let names: Vec<String> = binding
            .list_at(&["subjects"])
            .iter()
            .filter(|subject| subject.str_at(&["kind"]) == kind)
            .map(|subject| match subject.str_at(&["namespace"]) {
                "" => subject.str_at(&["name"]).to_owned(),
                own if own == namespace => subject.str_at(&["name"]).to_owned(),
                other => format!("{other}/{}", subject.str_at(&["name"])),
            })
            .collect();
        json!(first_five(&names))
    };
    vec![
        json!(binding.name()),
        json!(format!("{}/{}", role("namespace"), role("name"))),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
        json!(""),
    ]
}

fn first_five(names: &[String]) -> String {
    const SHOWN: usize = 5;
    if names.len() <= SHOWN {
        return names.join(", ");
    }
    format!("{} ({} more)", names[..SHOWN].join(", "), names.len() - SHOWN)
}

static USER: Printer = Printer {
    columns: &[named("NAME"), string("UID"), string("FULL NAME"), string("IDENTITIES")],
    cells: |user, _| {
        vec![
            json!(user.name()),
            json!(user.uid()),
            json!(user.str_at(&["fullName"])),
            json!(text::strings(user.list_at(&["identities"])).join(", ")),
        ]
    },
};

static IDENTITY: Printer = Printer {
    columns: &[
        named("NAME"),
        string("IDP NAME"),
        string("IDP USER NAME"),
        string("USER NAME"),
        string("USER UID"),
    ],
    cells: |identity, _| {
        vec![
            json!(identity.name()),
            json!(identity.str_at(&["providerName"])),
            json!(identity.str_at(&["providerUserName"])),
            json!(identity.str_at(&["user", "name"])),
            json!(identity.str_at(&["user", "uid"])),
        ]
    },
};

static USER_IDENTITY_MAPPING: Printer = Printer {
    columns: &[named("NAME"), string("IDENTITY"), string("USER NAME"), string("USER UID")],
    cells: |mapping, _| {
        vec![
            json!(mapping.name()),
            json!(mapping.str_at(&["identity", "name"])),
            json!(mapping.str_at(&["user", "name"])),
            json!(mapping.str_at(&["user", "uid"])),
        ]
    },
};

static GROUP: Printer = Printer {
    columns: &[named("NAME"), string("USERS")],
    cells: |group, _| {
        vec![json!(group.name()), json!(text::strings(group.list_at(&["users"])).join(", "))]
    },
};

static OAUTH_CLIENT: Printer = Printer {
    columns: &[
        named("NAME"),
        string("SECRET"),
        string("WWW-CHALLENGE"),
        string("TOKEN-MAX-AGE"),
        string("REDIRECT URIS"),
    ],
    cells: |client, _| {
        let challenge = if client.bool_at(&["respondWithChallenges"]) { "TRUE" } else { "FALSE" };
        let age = match client.int_at(&["accessTokenMaxAgeSeconds"]) {
            None => "default".to_owned(),
            Some(0) => "unexpiring".to_owned(),
            Some(seconds) => {
                duration::go_format(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
            }
        };
        vec![
            json!(client.name()),
            json!(client.str_at(&["secret"])),
            json!(challenge),
            json!(age),
            json!(text::strings(client.list_at(&["redirectURIs"])).join(",")),
        ]
    },
};

static OAUTH_CLIENT_AUTHORIZATION: Printer = Printer {
    columns: &[named("NAME"), string("USER NAME"), string("CLIENT NAME"), string("SCOPES")],
    cells: |authorization, _| {
        vec![
            json!(authorization.name()),
            json!(authorization.str_at(&["userName"])),
            json!(authorization.str_at(&["clientName"])),
            json!(text::strings(authorization.list_at(&["scopes"])).join(",")),
        ]
    },
};

static OAUTH_TOKEN: Printer = Printer {
    columns: &[
        named("NAME"),
        string("USER NAME"),
        string("CLIENT NAME"),
        string("CREATED"),
        string("EXPIRES"),
        string("REDIRECT URI"),
        string("SCOPES"),
    ],
    cells: |token, _| {
        let created = Time::parse_rfc3339(token.creation_timestamp());
        let lifetime = u64::try_from(token.int_at(&["expiresIn"]).unwrap_or(0)).unwrap_or(0);
        let expires = match (created, lifetime) {
            (_, 0) => "never".to_owned(),
            (Some(created), seconds) => (created + Duration::from_secs(seconds)).go_string(),
            (None, _) => String::new(),
        };
        vec![
            json!(token.name()),
            json!(token.str_at(&["userName"])),
            json!(token.str_at(&["clientName"])),
            json!(created.map_or_else(String::new, Time::go_string)),
            json!(expires),
            json!(token.str_at(&["redirectURI"])),
            json!(text::strings(token.list_at(&["scopes"])).join(",")),
        ]
    },
};

static CLUSTER_RESOURCE_QUOTA: Printer = Printer {
    columns: &[named("NAME"), string("LABEL SELECTOR"), string("ANNOTATION SELECTOR")],
    cells: |quota, _| {
        let annotations = quota.map_at(&["spec", "selector", "annotations"]);
        let annotations: Vec<String> = annotations
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}:{}", value.as_str().unwrap_or_default()))
            .collect();
        let shown = if annotations.is_empty() {
            NONE.to_owned()
        } else {
            format!("map[{}]", annotations.join(" "))
        };
        let labels = text::label_selector(quota.at(&["spec", "selector", "labels"]));
        vec![json!(quota.name()), json!(labels), json!(shown)]
    },
};

static SECURITY_CONTEXT_CONSTRAINTS: Printer = Printer {
    columns: &[
        named("NAME"),
        string("PRIV"),
        string("CAPS"),
        string("SELINUX"),
        string("RUNASUSER"),
        string("FSGROUP"),
        string("SUPGROUP"),
        string("PRIORITY"),
        string("READONLYROOTFS"),
        string("VOLUMES"),
    ],
    cells: |scc, _| {
        let list =
            |field: &str| json!(format!("[{}]", text::strings(scc.list_at(&[field])).join(" ")));
        let strategy = |field: &str| json!(scc.str_at(&[field, "type"]));
        let priority = text::plain(scc.get("priority"));
        vec![
            json!(scc.name()),
            json!(scc.bool_at(&["allowPrivilegedContainer"]).to_string()),
            list("allowedCapabilities"),
            strategy("seLinuxContext"),
            strategy("runAsUser"),
            strategy("fsGroup"),
            strategy("supplementalGroups"),
            json!(priority.as_deref().unwrap_or(NONE)),
            json!(scc.bool_at(&["readOnlyRootFilesystem"]).to_string()),
            list("volumes"),
        ]
    },
};

fn bracketed(object: &Value, field: &str) -> Value {
    json!(format!("[{}]", text::strings(object.list_at(&[field])).join(", ")))
}

static HOST_SUBNET: Printer = Printer {
    columns: &[
        named("NAME"),
        string("HOST"),
        string("HOST IP"),
        string("SUBNET"),
        string("EGRESS CIDRS"),
        string("EGRESS IPS"),
    ],
    cells: |subnet, _| {
        vec![
            json!(subnet.name()),
            json!(subnet.str_at(&["host"])),
            json!(subnet.str_at(&["hostIP"])),
            json!(subnet.str_at(&["subnet"])),
            bracketed(subnet, "egressCIDRs"),
            bracketed(subnet, "egressIPs"),
        ]
    },
};

static NET_NAMESPACE: Printer = Printer {
    columns: &[named("NAME"), string("NETID"), string("EGRESS IPS")],
    cells: |namespace, _| {
        let id = namespace.int_at(&["netid"]).unwrap_or(0).to_string();
        vec![json!(namespace.name()), json!(id), bracketed(namespace, "egressIPs")]
    },
};

static CLUSTER_NETWORK: Printer = Printer {
    columns: &[
        named("NAME"),
        string("CLUSTER NETWORKS"),
        string("SERVICE NETWORK"),
        string("PLUGIN NAME"),
    ],
    cells: |network, _| {
        let networks: Vec<String> = network
            .list_at(&["clusterNetworks"])
            .iter()
            .take(3)
            .map(|entry| {
                let length = entry.int_at(&["hostSubnetLength"]).unwrap_or(0);
                format!("{}:{length}", entry.str_at(&["CIDR"]))
            })
            .collect();
        vec![
            json!(network.name()),
            json!(or_none(&networks.join(", "))),
            json!(network.str_at(&["serviceNetwork"])),
            json!(network.str_at(&["pluginName"])),
        ]
    },
};
