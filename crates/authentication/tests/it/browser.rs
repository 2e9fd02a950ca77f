//! A browser on its way to a token.

use crate::cluster::{Cluster, location_param};

/// What a browser would send back of the cookies that it was given.
fn cookies(answer: &crate::http::Answer) -> String {
    let all = answer.headers.get_all("set-cookie").iter();
    let pairs: Vec<&str> =
        all.filter_map(|value| value.to_str().unwrap().split(';').next()).collect();
    pairs.join("; ")
}

fn path_of<'a>(cluster: &Cluster, location: &'a str) -> &'a str {
    location.strip_prefix(cluster.url.as_str()).unwrap_or(location)
}

#[tokio::test]
async fn a_browser_is_led_to_its_token() {
    let cluster = Cluster::start();
    let answer = cluster.get("/oauth/token/request", &[]).await;
    let authorize = path_of(&cluster, answer.header("location")).to_owned();
    assert!(authorize.starts_with("/oauth/authorize?client_id=openshift-browser-client"));
    let answer = cluster.get(&authorize, &[]).await;
    assert_eq!(answer.code, 302);
    let form = answer.header("location").to_owned();
    assert!(form.starts_with("/login?then=%2Foauth%2Fauthorize%3Fclient_id"), "{form}");
    let answer = cluster.get(&form, &[]).await;
    assert_eq!((answer.code, answer.header("x-frame-options")), (200, "DENY"));
    let csrf = cookies(&answer);
    let word = csrf.strip_prefix("csrf=").unwrap();
    assert!(answer.text.contains(word));
    let media = ("content-type", "application/x-www-form-urlencoded");
    let then = location_param(&cluster.get(&authorize, &[]).await, "then");
    let log_in = async |word: &str, user: &str, password: &str| {
        let body = format!("then={then}&csrf={word}&username={user}&password={password}");
        cluster.remote.send("POST", "/login", &[media, ("cookie", &csrf)], &body).await
    };
    for (word, user, password, reason) in [
        ("guess", "ann", "x", "token_expired"),
        (word, "", "x", "user_required"),
        (word, "ann", "", "access_denied"),
    ] {
        assert_eq!(location_param(&log_in(word, user, password).await, "reason"), reason);
    }
    let answer = log_in(word, "ann", "x").await;
    assert_eq!((answer.code, answer.header("location")), (302, authorize.as_str()));
    let session = cookies(&answer);
    let answer = cluster.get(&authorize, &[("cookie", &session)]).await;
    assert_eq!(cookies(&answer), "ssn=", "a session is for one token");
    let display = path_of(&cluster, answer.header("location")).to_owned();
    let page = cluster.get(&display, &[]).await;
    assert_eq!((page.code, page.header("content-type")), (200, "text/html; charset=UTF-8"));
    let (_, rest) = page.text.split_once("<code>").unwrap();
    let token = rest.split('<').next().unwrap();
    let bearer = format!("Bearer {token}");
    let me = cluster.get("/apis/user.openshift.io/v1/users/~", &[("authorization", &bearer)]).await;
    assert_eq!(me.brief(), "200 ann");
    // The page shows it once.
    assert_eq!(cluster.get(&display, &[]).await.code, 400);
}

#[tokio::test]
async fn programs_that_come_by_are_told_where_the_token_is() {
    let cluster = Cluster::start();
    let page = cluster.get("/oauth/token/implicit", &[]).await;
    assert_eq!((page.code, page.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(page.text.contains("access_token"));
    assert_eq!(cluster.remote.send("DELETE", "/oauth/token", &[], "").await.code, 405);
}
