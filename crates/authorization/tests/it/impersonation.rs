//! Acting as someone else.

use apiserver::{Impersonation, User};

use crate::cluster::{Cluster, user};

fn become_other(cluster: &Cluster, caller: &User, name: &str, groups: &[&str]) -> String {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    let wanted = Impersonation { user: name.to_owned(), groups, extra: Vec::new() };
    match cluster.server.impersonate(caller, &wanted) {
        Ok(user) => format!("{} [{}]", user.name, user.groups.join(" ")),
        Err(status) => status.message,
    }
}

#[test]
fn roles_decide_who_may_be_impersonated() {
    let cluster = Cluster::new();
    cluster.bind("", "sudoer", "carol");
    let admin = User::system_admin();
    let become_other =
        |caller: &User, name: &str, groups: &[&str]| become_other(&cluster, caller, name, groups);
    assert_eq!(become_other(&admin, "bob", &[]), "bob [system:authenticated]");
    assert_eq!(become_other(&admin, "bob", &["x"]), "bob [x system:authenticated]");
    assert_eq!(
        become_other(&user("alice"), "bob", &[]),
        "users \"bob\" is forbidden: User \"alice\" cannot impersonate users at the cluster scope: no RBAC policy matched"
    );
    assert_eq!(
        become_other(&user("carol"), "system:admin", &["system:masters"]),
        "system:admin [system:masters system:authenticated]"
    );
    assert_eq!(
        become_other(&user("carol"), "system:admin", &["others"]),
        "groups \"others\" is forbidden: User \"carol\" cannot impersonate groups at the cluster scope: no RBAC policy matched"
    );
    // Editors act as the service accounts of their project.
    assert_eq!(
        become_other(&user("alice"), "system:serviceaccount:alice-proj:builder", &[]),
        "system:serviceaccount:alice-proj:builder [system:serviceaccounts system:serviceaccounts:alice-proj system:authenticated]"
    );
    assert_eq!(
        become_other(&user("alice"), "system:serviceaccount:bob-proj:builder", &[]),
        "serviceaccounts \"builder\" is forbidden: User \"alice\" cannot impersonate serviceaccounts in the namespace \"bob-proj\": no RBAC policy matched"
    );
}

#[test]
fn groups_alone_are_a_mistake() {
    let cluster = Cluster::new();
    assert_eq!(
        become_other(&cluster, &User::system_admin(), "", &["x"]),
        "Internal error occurred: requested impersonation without impersonating a user"
    );
    assert!(become_other(&cluster, &user("alice"), "", &[]).starts_with("alice "));
}
