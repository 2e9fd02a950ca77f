//! Who may do what: role based access control with the roles of OpenShift 3.11.
//!
//! Roles and bindings are objects of `rbac.authorization.k8s.io`, which OpenShift's older API shows
//! in its own shape. The authoriser [`rbac::Rbac`] keeps an index of them ([`policy`]) and answers
//! every request at the edge; access reviews ask it on behalf of clients.
//!
//! Reading order: [`rule`] (what a rule allows and covers), [`policy`] (the index), [`rbac`] (the
//! index that follows the store), [`escalation`] and [`strategy`] (nobody grants what they do not
//! have), [`facts`] and [`bootstrap`](mod@bootstrap) (the roles of a new cluster), [`aggregation`] and
//! [`default_bindings`] (controllers), [`scope`] (what tokens leave of it), [`review`] (the access reviews), [`project`] (who sees which
//! project), [`impersonation`].
//!
//! Invariant: only the edge, the reviews and the checks of this crate ask; calls in process are free.
//!
//! Deviation: `RoleBindingRestriction`s are stored but not enforced.

pub mod aggregation;
pub mod bootstrap;
pub mod default_bindings;
pub mod escalation;
pub mod facts;
pub mod impersonation;
pub mod policy;
pub mod project;
pub mod rbac;
pub mod review;
pub mod rule;
pub mod scope;
pub mod strategy;

use apiserver::Builder;
use controller_runtime::Controller;

pub use crate::bootstrap::bootstrap;
pub use crate::rbac::Rbac;
pub use crate::rule::{Access, ResourceTarget, Rule, Target};

/// Plugs the authoriser, the checks and the reviews into an API server under construction.
#[must_use]
pub fn register(builder: Builder) -> Builder {
    let rbac = Rbac::default();
    let builder = builder
        .authorizer(Box::new(rbac.clone()))
        .strategy(&api::ROLES, Box::new(strategy::Roles(rbac.clone())))
        .strategy(&api::CLUSTER_ROLES, Box::new(strategy::Roles(rbac.clone())))
        .strategy(&api::ROLE_BINDINGS, Box::new(strategy::Bindings(rbac.clone())))
        .strategy(&api::CLUSTER_ROLE_BINDINGS, Box::new(strategy::Bindings(rbac.clone())));
    let builder = review::register(builder, &rbac);
    project::register(builder, &rbac)
}

/// The controllers of this crate.
#[must_use]
pub fn controllers() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(aggregation::ClusterRoleAggregation),
        Box::new(default_bindings::DefaultRoleBindings),
    ]
}
