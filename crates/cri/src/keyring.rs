//! Where credentials are for, as secrets file them: by the host and path of a registry.
//!
//! The node agent looks them up for pulls, imports do for their sources.
//!
//! Mirrors: `pkg/credentialprovider/{keyring,config}.go`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Host and path of a registry as a secret names it, without scheme and API version.
#[must_use]
pub fn place(server: &str) -> String {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let rest = rest.trim_end_matches('/');
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match path {
        "" | "v1" | "v2" => host.to_owned(),
        path => format!("{host}/{}", path.trim_start_matches("v1/").trim_start_matches("v2/")),
    }
}

/// Whether credentials filed under `place` are for the image at `wanted`: the same number of parts of
/// the host, `*` standing for anything inside a part, the same port, and a path that begins so.
#[must_use]
pub fn fits(place: &str, wanted: &str) -> bool {
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let (wanted_host, wanted_path) = wanted.split_once('/').unwrap_or((wanted, ""));
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let (wanted_name, wanted_port) = wanted_host.split_once(':').unwrap_or((wanted_host, ""));
    let (parts, wanted_parts) = (name.split('.'), wanted_name.split('.'));
    port == wanted_port
        && parts.clone().count() == wanted_parts.clone().count()
        && parts.zip(wanted_parts).all(|(pattern, part)| glob(pattern, part))
        && wanted_path.starts_with(path)
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && glob(tail, &rest[at..]))
        }),
    }
}

/// Name and password out of the `auth` of an entry, which is `name:password` in Base64.
#[must_use]
pub fn packed(auth: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
    let (username, password) = text.trim_end_matches('\0').split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}
