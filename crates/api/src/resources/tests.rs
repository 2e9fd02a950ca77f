//! The table of resources is consistent.

use super::*;

#[test]
fn resources_are_sorted_within_their_version() {
    for group in GROUP_VERSIONS {
        let names: Vec<_> = group.iter().map(|r| r.plural).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names, sorted, "{}", group[0].api_version());
        for resource in *group {
            assert_eq!(resource.api_version(), group[0].api_version(), "{}", resource.plural);
        }
    }
}

#[test]
fn names_are_unique_and_subresources_sorted() {
    assert_eq!(BY_PLURAL.len(), ALL.len());
    for resource in resources() {
        let names: Vec<_> = resource.subresources.iter().map(|s| s.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names, sorted, "{}", resource.plural);
    }
}

#[test]
fn every_view_has_the_resource_it_shows() {
    for resource in resources() {
        let stored = find(resource.storage.0, resource.storage.1, resource.plural);
        let stored = stored.unwrap_or_else(|| panic!("{} has no storage version", resource.plural));
        assert_eq!(stored.storage, (stored.group, stored.version));
    }
}

#[test]
fn bare_names_mean_what_current_clients_expect() {
    let first = |plural: &str| {
        resources().iter().find(|r| r.plural == plural).map(|r| r.api_version()).unwrap_or_default()
    };
    assert_eq!(first("deployments"), "apps/v1");
    assert_eq!(first("events"), "v1");
    assert_eq!(first("ingresses"), "networking.k8s.io/v1");
    assert_eq!(first("roles"), "rbac.authorization.k8s.io/v1");
    assert_eq!(find("apps", "v1", "deployments"), Some(&DEPLOYMENTS));
    assert_eq!(find_kind("template.openshift.io", "v1", "Template"), Some(&TEMPLATES));
    assert_eq!(find("apps", "v1", "nothing"), None);
}
