//! Calls of scheduler extenders, each on a thread of its own: the loop never waits for one. For real
//! worlds only.

use std::sync::Arc;

use admission::webhook::{Caller as _, Endpoint, HttpCaller};
use apimachinery::Value;
use scheduler::extender::{Caller, Done, Extender};

/// Calls over the network.
#[derive(Debug)]
pub(crate) struct ExtenderCaller;

impl Caller for ExtenderCaller {
    fn post(&self, extender: &Extender, url: &str, body: &Value, done: Done) {
        let url = match url.split_once("://") {
            Some(("http", rest)) if extender.tls => format!("https://{rest}"),
            _ => url.to_owned(),
        };
        let (ca, timeout, body) = (extender.ca.clone(), extender.timeout, body.to_string());
        let done = Arc::new(parking_lot::Mutex::new(Some(done)));
        let answer = Arc::clone(&done);
        let call = move || {
            let result = endpoint(&url, ca)
                .and_then(|endpoint| HttpCaller.post(&endpoint, body.as_bytes(), timeout))
                .and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()))
                .map_err(|text| format!("Post {url}: {text}"));
            if let Some(done) = answer.lock().take() {
                done(result);
            }
        };
        let thread = std::thread::Builder::new().name("extender".to_owned());
        if let Err(error) = thread.spawn(call)
            && let Some(done) = done.lock().take()
        {
            done(Err(error.to_string()));
        }
    }
}

/// Where an `http` or `https` address leads.
fn endpoint(url: &str, ca: Vec<u8>) -> Result<Endpoint, String> {
    let (tls, rest) = match url.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        _ => return Err(format!("unsupported URL {url:?}")),
    };
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned();
    let port = if tls { 443 } else { 80 };
    let address =
        if authority.contains(':') { authority.to_owned() } else { format!("{authority}:{port}") };
    Ok(Endpoint { tls, address, host, path: path.to_owned(), ca })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_a_host_and_a_path() {
        let parts = |url: &str| {
            endpoint(url, Vec::new())
                .map(|e| format!("{} {} {} {}", e.tls, e.address, e.host, e.path))
        };
        assert_eq!(parts("http://h:8888/x/filter").unwrap(), "false h:8888 h /x/filter");
        assert_eq!(parts("https://h").unwrap(), "true h:443 h /");
        assert!(parts("h:1/x").is_err());
    }
}
