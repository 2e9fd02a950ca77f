//! Pages for people.
//!
//! Invariant: everything that comes from outside goes through [`quote`].

use apimachinery::ObjectExt as _;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::access::{self, Redeemed};
use super::authorize::Refusal;
use super::client::OAuthClient;
use super::request::Asked;
use super::{APPROVE, BROWSER_CLIENT, DISPLAY, LOGIN, OAuth, REQUEST, people};

/// What `/oauth/token/implicit` says: programs are sent there, people come by accident.
pub(super) const IMPLICIT: &str = "
You have reached this page by following a redirect Location header from an OAuth authorize request.

With response_type=token the access token stands in the fragment of that header (RFC 6749, 4.2.2):
do not follow the redirect, take the part after the # of the Location, read it as a form, and use
its access_token.
";

const STYLE: &str = "body{font-family:sans-serif;margin:2em}code,pre{font-size:1.2em}\
label{display:block;margin:.5em 0}";

/// A whole document.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n",
        quote(title)
    )
}

pub(super) fn login_form(complaint: &str, then: &str, user: &str, csrf: &str) -> String {
    let complaint = match complaint {
        "" => String::new(),
        text => format!("<p role=\"alert\">{}</p>\n", quote(text)),
    };
    let [then, user, csrf] = [then, user, csrf].map(quote);
    format!(
        "{complaint}<form action=\"{LOGIN}\" method=\"POST\">\n\
         <input type=\"hidden\" name=\"then\" value=\"{then}\">\n\
         <input type=\"hidden\" name=\"csrf\" value=\"{csrf}\">\n\
         <label>Username <input name=\"username\" value=\"{user}\" autofocus></label>\n\
         <label>Password <input type=\"password\" name=\"password\"></label>\n\
         <button type=\"submit\">Log In</button>\n</form>"
    )
}

/// Asks `person` whether `client` may have the scopes, which come with what they mean.
pub(super) fn consent_form(
    person: &str,
    client: &str,
    scopes: &[(&str, String)],
    fields: &[(&str, &str)],
) -> String {
    let items: Vec<String> = scopes
        .iter()
        .map(|(scope, text)| format!("<li><code>{}</code>: {}</li>", quote(scope), quote(text)))
        .collect();
    let hidden: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", quote(value))
        })
        .collect();
    format!(
        "<h1>Authorize Access</h1>\n<p><b>{}</b> asks for permission to act for you ({}):</p>\n\
         <ul>{}</ul>\n<form action=\"{APPROVE}\" method=\"POST\">\n{}\n\
         <button name=\"approve\" value=\"yes\">Allow selected permissions</button>\n\
         <button name=\"deny\" value=\"yes\">Deny</button>\n</form>",
        quote(client),
        quote(person),
        items.join("\n"),
        hidden.join("\n"),
    )
}

/// `/oauth/token/display`: trades the code that came with the browser and shows the token.
pub(super) fn display(oauth: &OAuth, asked: &Asked<'_>) -> Response<Bytes> {
    let again = format!("<p><a href=\"{REQUEST}\">Request another token</a></p>");
    let fail = |code: StatusCode, text: &str| {
        people(code, "API token", &format!("<p role=\"alert\">{}</p>\n{again}", quote(text)))
    };
    let told = asked.get("error");
    if !told.is_empty() {
        let text = format!("Error handling auth request: {told}");
        return fail(StatusCode::BAD_REQUEST, &text);
    }
    match token(oauth, asked) {
        Ok(token) => {
            let [token, url] = [token.as_str(), oauth.url()].map(quote);
            let body = format!(
                "<h2>Your API token is</h2>\n<code>{token}</code>\n\
                 <h2>Log in with this token</h2>\n<pre>oc login --token={token} --server={url}</pre>\n\
                 <h3>Use this token directly against the API</h3>\n<pre>curl -H \"Authorization: Bearer \
                 {token}\" \"{url}/apis/user.openshift.io/v1/users/~\"</pre>\n{again}"
            );
            people(StatusCode::OK, "API token", &body)
        }
        Err(refusal) => {
            let text = format!("Error getting token: {}", refusal.description);
            fail(StatusCode::BAD_REQUEST, &text)
        }
    }
}

fn token(oauth: &OAuth, asked: &Asked<'_>) -> Result<String, Refusal> {
    let missing = || Refusal::of(super::authorize::UNAUTHORIZED_CLIENT);
    let client = OAuthClient::find(&oauth.client, BROWSER_CLIENT).ok_or_else(missing)?;
    let redirect = format!("{}{DISPLAY}", oauth.url());
    let shown = Redeemed { code: asked.get("code"), redirect_uri: Some(&redirect), verifier: "" };
    let answer = access::redeem(oauth, &client, &shown)?;
    Ok(answer.str_at(&["access_token"]).to_owned())
}

/// Text as it may stand in a page or an attribute.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => quoted.push_str("&amp;"),
            '<' => quoted.push_str("&lt;"),
            '>' => quoted.push_str("&gt;"),
            '"' => quoted.push_str("&#34;"),
            '\'' => quoted.push_str("&#39;"),
            other => quoted.push(other),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_quoted() {
        let form = login_form("a<b", "\"><script>", "'x'", "w");
        assert!(form.contains("a&lt;b") && form.contains("&#34;&gt;&lt;script&gt;"), "{form}");
        assert!(!form.contains("<script>") && form.contains("&#39;x&#39;"), "{form}");
    }
}
