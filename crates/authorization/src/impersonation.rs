//! Acting as someone else.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/filters/impersonation.go`.

use apimachinery::Status;
use apiserver::{Impersonation, User};

use crate::rbac::Rbac;
use crate::rule::{Access, ResourceTarget};

const ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// The user that `caller` becomes.
///
/// # Errors
/// 403 for the first of user, groups and extras that `caller` may not impersonate; 500 when groups
/// or extras are asked for without a user, as upstream has it.
pub fn impersonate(rbac: &Rbac, caller: &User, wanted: &Impersonation) -> Result<User, Status> {
    if wanted.user.is_empty() {
        if wanted.groups.is_empty() && wanted.extra.is_empty() {
            return Ok(caller.clone());
        }
        let text = "requested impersonation without impersonating a user";
        return Err(Status::internal(text));
    }
    for target in targets(wanted) {
        if !rbac.permits(caller, &Access::resource("impersonate", target)) {
            let reason = rbac.why_not(caller, &Access::resource("impersonate", target));
            return Err(refusal(caller, &target, &reason));
        }
    }
    Ok(wanted.become_user())
}

fn targets(wanted: &Impersonation) -> Vec<ResourceTarget<'_>> {
    let of = |resource, name| ResourceTarget { resource, name, ..ResourceTarget::default() };
    let user = match account(&wanted.user) {
        Some((namespace, name)) => ResourceTarget { namespace, ..of("serviceaccounts", name) },
        None => of("users", &wanted.user),
    };
    let groups = wanted.groups.iter().map(|group| of("groups", group));
    let extra = wanted.extra.iter().map(|(key, value)| ResourceTarget {
        group: "authentication.k8s.io",
        subresource: key,
        ..of("userextras", value)
    });
    [user].into_iter().chain(groups).chain(extra).collect()
}

fn account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(ACCOUNT_PREFIX)?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

fn refusal(caller: &User, target: &ResourceTarget<'_>, reason: &str) -> Status {
    let mut what = target.resource.to_owned();
    for (separator, part) in [('/', target.subresource), ('.', target.group)] {
        if !part.is_empty() {
            what = format!("{what}{separator}{part}");
        }
    }
    let place = match target.namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {namespace:?}"),
    };
    let text = format!("User {:?} cannot impersonate {what} {place}: {reason}", caller.name);
    Status::forbidden(target.group, target.resource, target.name, &text)
}
