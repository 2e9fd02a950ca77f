//! Lists of tags and repositories, whole or page by page.

use apimachinery::json;
use http::StatusCode;

use super::{State, set};
use crate::error::Error;
use crate::reply::{self, Reply};
use crate::repository::Repository;
use crate::route::parameter;
use crate::streams;

pub(super) fn catalog(state: &State, query: Option<&str>) -> Result<Reply, Error> {
    let page = Page::of(state.streams.repositories()?, query)?;
    let mut reply = reply::json(StatusCode::OK, &json!({"repositories": page.names}));
    page.link(&mut reply, "/v2/_catalog");
    Ok(reply)
}

pub(super) fn tags(
    state: &State,
    repository: &Repository,
    query: Option<&str>,
) -> Result<Reply, Error> {
    let stream = state.streams.stream(repository);
    let stream = stream.ok_or_else(|| Error::name_unknown(repository))?;
    let page = Page::of(streams::tags(&stream), query)?;
    let document = json!({"name": repository.to_string(), "tags": page.names});
    let mut reply = reply::json(StatusCode::OK, &document);
    page.link(&mut reply, &format!("/v2/{repository}/tags/list"));
    Ok(reply)
}

/// Some names of a sorted list.
struct Page {
    names: Vec<String>,
    /// The last name and the size of the page, when more follow.
    next: Option<(String, usize)>,
}

impl Page {
    fn of(mut names: Vec<String>, query: Option<&str>) -> Result<Self, Error> {
        if let Some(last) = parameter(query, "last") {
            names.retain(|name| *name > last);
        }
        let Some(n) = parameter(query, "n") else { return Ok(Self { names, next: None }) };
        let size: usize = n.parse().map_err(|_| Error::pagination(&n))?;
        let more = names.len() > size;
        names.truncate(size);
        let next = names.last().filter(|_| more).map(|last| (last.clone(), size));
        Ok(Self { names, next })
    }

    fn link(&self, reply: &mut Reply, path: &str) {
        if let Some((last, n)) = &self.next {
            let last = last.replace('/', "%2F");
            set(reply, "link", &format!("<{path}?last={last}&n={n}>; rel=\"next\""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other() {
        let all = || ["a", "b", "c"].map(str::to_owned).to_vec();
        let page = Page::of(all(), Some("n=2")).unwrap();
        assert_eq!((page.names, page.next), (all()[..2].to_vec(), Some(("b".to_owned(), 2))));
        let page = Page::of(all(), Some("n=2&last=b")).unwrap();
        assert_eq!((page.names, page.next), (all()[2..].to_vec(), None));
        assert_eq!(Page::of(all(), None).unwrap().names, all());
        assert!(Page::of(all(), Some("n=-1")).is_err());
    }
}
