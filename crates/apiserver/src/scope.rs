//! Scopes: the words by which a token says what it may be used for.
//!
//! Mirrors: `openshift/origin:pkg/authorization/authorizer/scope/converter.go`.
//!
//! Invariant: what a scope allows is not said here; it never allows more than its user may.

/// A scope of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// `user:info`: who the user is.
    Info,
    /// `user:check-access`: questions about the user's rights.
    CheckAccess,
    /// `user:list-scoped-projects`: the projects that the other scopes let see.
    ListScopedProjects,
    /// `user:list-projects`: the projects that the user sees.
    ListProjects,
    /// `user:full`: everything.
    Full,
    /// `role:<cluster role>:<namespace or *>[:!]`: what a role allows.
    Role {
        /// The cluster role.
        name: String,
        /// The namespace; `*` for all.
        namespace: String,
        /// Whether what leads to more rights, e.g. secrets, is part of it.
        escalating: bool,
    },
}

impl Scope {
    /// Reads a scope.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "user:info" => Ok(Self::Info),
            "user:check-access" => Ok(Self::CheckAccess),
            "user:list-scoped-projects" => Ok(Self::ListScopedProjects),
            "user:list-projects" => Ok(Self::ListProjects),
            "user:full" => Ok(Self::Full),
            _ if text.starts_with("user:") => Err(format!("unrecognized scope: {text}")),
            _ => match text.strip_prefix("role:") {
                Some(rest) => role(rest).ok_or_else(|| format!("bad format for scope {text}")),
                None => Err("no scope handler found".to_owned()),
            },
        }
    }
}

/// Namespaces have no colons, but names of roles may.
fn role(text: &str) -> Option<Scope> {
    let (text, escalating) = match text.strip_suffix(":!") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (name, namespace) = text.rsplit_once(':')?;
    if name.is_empty() || namespace.is_empty() {
        return None;
    }
    Some(Scope::Role { name: name.to_owned(), namespace: namespace.to_owned(), escalating })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read() {
        let role = |name: &str, namespace: &str, escalating| {
            Ok(Scope::Role { name: name.to_owned(), namespace: namespace.to_owned(), escalating })
        };
        let refused = |text: &str| Err(text.to_owned());
        for (text, expect) in [
            ("user:full", Ok(Scope::Full)),
            ("user:list-projects", Ok(Scope::ListProjects)),
            ("user:dogs", refused("unrecognized scope: user:dogs")),
            ("role:view:*", role("view", "*", false)),
            ("role:system:deployer:p:!", role("system:deployer", "p", true)),
            ("role:view", refused("bad format for scope role:view")),
            ("role:view:", refused("bad format for scope role:view:")),
            ("role::p", refused("bad format for scope role::p")),
            ("clusterwide:x", refused("no scope handler found")),
        ] {
            assert_eq!(Scope::parse(text), expect, "{text}");
        }
    }
}
