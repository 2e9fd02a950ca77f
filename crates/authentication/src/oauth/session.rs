//! The login form, and how a browser is remembered from there to its token.
//!
//! A session is a cookie that says who logged in and until when, signed by this process; it is taken
//! back as soon as a token has been issued. The form carries a random word that also stands in a
//! cookie, so that no other site can log somebody in.
//!
//! Mirrors: `openshift/origin:pkg/oauthserver/server/{login,session,csrf}`.
//!
//! Invariant: nobody is sent from here to another server.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Response, StatusCode};
use ring::hmac;
use world::World;

use super::request::{Asked, escape, found, set_cookie};
use super::{LOGIN, OAuth, authorize, page, people};
use crate::token::secret;

/// The cookie of a session.
pub(super) const SESSION: &str = "ssn";
pub(super) const CSRF: &str = "csrf";
/// How long a browser has from the form to the token.
const SECONDS: i64 = 300;

/// A user who has shown a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) uid: String,
}

/// Signs sessions and knows them again.
pub(super) struct Sessions {
    world: World,
    key: hmac::Key,
}

impl Sessions {
    pub(super) fn new(world: &World) -> Self {
        let mut bytes = [0; 32];
        world.random_bytes(&mut bytes);
        Self { world: world.clone(), key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) }
    }

    fn seal(&self, person: &Person) -> String {
        let until = self.world.now().unix_seconds() + SECONDS;
        let text = format!("{until}/{}/{}", person.uid, person.name);
        let signature = hmac::sign(&self.key, text.as_bytes());
        format!("{}.{}", URL_SAFE_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whoever a cookie speaks of, while it is good.
    pub(super) fn open(&self, cookie: &str) -> Option<Person> {
        let (text, signature) = cookie.split_once('.')?;
        let text = URL_SAFE_NO_PAD.decode(text).ok()?;
        hmac::verify(&self.key, &text, &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        let text = String::from_utf8(text).ok()?;
        let mut fields = text.splitn(3, '/');
        let until: i64 = fields.next()?.parse().ok()?;
        let (uid, name) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        (self.world.now().unix_seconds() < until).then_some(Person { name, uid })
    }
}

/// The form.
pub(super) fn form(oauth: &OAuth, asked: &Asked<'_>) -> Response<Bytes> {
    let complaint = match asked.get("reason") {
        "user_required" => "Login is required. Please try again.",
        "access_denied" => "Invalid login or password. Please try again.",
        "token_expired" => "Could not check CSRF token. Please try again.",
        "" => "",
        _ => "An authentication error occurred.",
    };
    let word = csrf_word(oauth, asked);
    let body = page::login_form(complaint, asked.get("then"), asked.get("username"), &word);
    let mut answer = people(StatusCode::OK, "Login", &body);
    set_cookie(&mut answer, CSRF, &word);
    answer
}

/// The word that a form carries: that of the browser's cookie, or a new one.
pub(super) fn csrf_word(oauth: &OAuth, asked: &Asked<'_>) -> String {
    match asked.cookie(CSRF) {
        Some(word) if word.len() >= 32 => word.to_owned(),
        _ => secret(oauth.client.server().world()),
    }
}

/// Whether a form carries the word of the browser's cookie.
pub(super) fn same_word(asked: &Asked<'_>) -> bool {
    let word = asked.get(CSRF);
    let same = |cookie: &str| crate::htpasswd::same(cookie.as_bytes(), word.as_bytes());
    !word.is_empty() && asked.cookie(CSRF).is_some_and(same)
}

/// The form filled in.
pub(super) fn login(oauth: &OAuth, asked: &Asked<'_>) -> Response<Bytes> {
    let then = asked.get("then");
    let again = |reason: &str| found(&format!("{LOGIN}?reason={reason}&then={}", escape(then)));
    if !same_word(asked) {
        return again("token_expired");
    }
    if asked.get("username").is_empty() {
        return again("user_required");
    }
    match authorize::by_password(oauth, asked.get("username"), asked.get("password")) {
        Ok(Some(person)) => {
            let mut answer = found(if is_local(then) { then } else { "/" });
            set_cookie(&mut answer, SESSION, &oauth.sessions.seal(&person));
            answer
        }
        Ok(None) => again("access_denied"),
        Err(error) => {
            tracing::debug!(%error, "a login led to no user");
            again("mapping_error")
        }
    }
}

/// Whether an address is on this server: one slash, and nothing that browsers take for two.
pub(super) fn is_local(then: &str) -> bool {
    then.starts_with('/')
        && !then[1..].starts_with(['/', '\\'])
        && !then.contains(['\t', '\n', '\r'])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sessions_end_and_cannot_be_made_up() {
        let world = World::simulated(1);
        let sessions = Sessions::new(&world);
        let person = Person { name: "a/b".to_owned(), uid: "u1".to_owned() };
        let cookie = sessions.seal(&person);
        assert_eq!(sessions.open(&cookie), Some(person.clone()));
        assert_eq!(Sessions::new(&world).open(&cookie), None);
        let forged = URL_SAFE_NO_PAD.encode("99999999999/u1/admin");
        let (_, signature) = cookie.split_once('.').unwrap();
        assert_eq!(sessions.open(&format!("{forged}.{signature}")), None);
        world.advance_to(world.now() + Duration::from_secs(300));
        assert_eq!(sessions.open(&cookie), None);
    }

    #[test]
    fn nobody_is_sent_away() {
        for (then, expect) in [
            ("/oauth/authorize?x=1", true),
            ("/", true),
            ("", false),
            ("//evil", false),
            ("/\\evil", false),
            ("https://evil", false),
            ("/\t/evil", false),
        ] {
            assert_eq!(is_local(then), expect, "{then:?}");
        }
    }
}
