//! Reading: one object, a page of many.
//!
//! Invariant: all pages of one list show the same revision.

use std::sync::Arc;

use apimachinery::Status;
use store::{KeyValue, Range, Revision};

use crate::call::{Call, ListOptions, LogOptions, ObjectList};
use crate::continue_token::ContinueToken;
use crate::log::LogStream;
use crate::selection::Selection;
use crate::server::ApiServer;
use crate::stored::Stored;
use crate::{error, key, list_options};

/// Keys fetched at a time when a selector may drop some of them.
const CHUNK: usize = 500;

impl ApiServer {
    /// Reads one object.
    ///
    /// # Errors
    /// 404 when it does not exist, or what the resource's handler answers.
    pub fn get(&self, call: &Call<'_>) -> Result<Stored, Status> {
        if let Some(handler) = self.handler(call) {
            return handler.get(&self.handler_context(call));
        }
        check_storage(call)?;
        if let Some(object) = self.strategy(call.resource).made_up(self, call.user, call.name) {
            return Ok(self.present(call.resource, &Stored::new(object)));
        }
        Ok(self.present(call.resource, &self.current(call)?.value))
    }

    /// The stored object a call names.
    pub(crate) fn current(&self, call: &Call<'_>) -> Result<Arc<KeyValue<Stored>>, Status> {
        let key = key::object(call.resource, call.namespace, call.name);
        self.store().get(&key).ok_or_else(|| error::not_found(call.resource, call.name))
    }

    /// Opens the text stream of a `log` sub-resource.
    ///
    /// # Errors
    /// 404 or 400 with the text that says what is missing.
    pub fn log(&self, call: &Call<'_>, options: &LogOptions) -> Result<LogStream, Status> {
        let handler = self.handler(call).ok_or_else(Status::no_such_path)?;
        handler.log(&self.handler_context(call), options)
    }

    /// What has to change before [`Self::log`] has something to give.
    pub(crate) fn log_waits_for(
        &self,
        call: &Call<'_>,
        options: &LogOptions,
    ) -> &'static [&'static api::Resource] {
        let handler = self.handler(call);
        handler.map_or(&[], |handler| handler.log_waits_for(&self.handler_context(call), options))
    }

    /// Reads a page of the objects that `options` select.
    ///
    /// # Errors
    /// 400 for selectors, tokens and versions that cannot be read, 410 when the revision asked for
    /// is gone.
    pub fn list(&self, call: &Call<'_>, options: &ListOptions) -> Result<ObjectList, Status> {
        if let Some(handler) = self.handler(call) {
            return handler.list(&self.handler_context(call), options);
        }
        check_storage(call)?;
        list_options::check_list(options)?;
        let selection = self.selection(call.resource, options)?;
        let prefix = key::collection(call.resource, call.namespace);
        let only = selection
            .only_name()
            .filter(|_| !call.namespace.is_empty() || !call.resource.namespaced());
        let only = only.map(|name| format!("{prefix}{name}"));
        let page = Page { only, ..Page::plan(self, &prefix, options)? };
        let list = page.read(self, &selection)?;
        let items = list.items.iter().map(|kv| self.present(call.resource, &kv.value)).collect();
        Ok(ObjectList {
            items,
            resource_version: list.revision.to_string(),
            continue_token: list.token,
            remaining: list.remaining,
            instead: None,
        })
    }
}

/// The part of a pod that only this sub-resource writes.
pub(crate) const EPHEMERAL: &str = "ephemeralcontainers";

/// The sub-resources that are views of the stored object itself.
pub(crate) fn check_storage(call: &Call<'_>) -> Result<(), Status> {
    match call.subresource {
        "" | "status" => Ok(()),
        EPHEMERAL if call.resource.subresource(EPHEMERAL).is_some() => Ok(()),
        other if call.resource.subresource(other).is_some() => Err(Status::method_not_allowed()),
        _ => Err(Status::no_such_path()),
    }
}

/// Reads `resourceVersion`; 0 when absent.
pub(crate) fn parse_resource_version(text: &str) -> Result<Revision, Status> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| error::bad_resource_version(text))
}

/// Which keys a list reads at which revision.
struct Page<'a> {
    prefix: &'a str,
    /// The one key that can be selected, when there is one.
    only: Option<String>,
    after: Option<String>,
    revision: Option<Revision>,
    limit: usize,
}

struct PageContent {
    items: Vec<Arc<KeyValue<Stored>>>,
    revision: Revision,
    token: Option<String>,
    remaining: Option<usize>,
}

impl<'a> Page<'a> {
    fn plan(server: &ApiServer, prefix: &'a str, options: &ListOptions) -> Result<Self, Status> {
        let wanted = parse_resource_version(&options.resource_version)?;
        let limit = options.limit;
        if !options.continue_token.is_empty() {
            if wanted > 0 {
                return Err(Status::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            let token = ContinueToken::decode(&options.continue_token)?;
            let after = Some(format!("{prefix}{}", token.after));
            return Ok(Self { prefix, only: None, after, revision: Some(token.revision), limit });
        }
        let current = server.store().revision();
        let revision = match options.resource_version_match.as_str() {
            "Exact" => Some(wanted),
            "NotOlderThan" if wanted > current => {
                return Err(error::too_large_resource_version(wanted, current));
            }
            "NotOlderThan" => None,
            // Without a match, a limited list is exact and an unlimited one must be as new.
            _ if wanted > current || (limit > 0 && wanted > 0) => Some(wanted),
            _ => None,
        };
        Ok(Self { prefix, only: None, after: None, revision, limit })
    }

    fn range(&self, limit: usize) -> Range {
        let range = match &self.only {
            Some(key) => Range::key(key.as_str()),
            None => Range::prefix(self.prefix),
        };
        let mut range = range.limit(limit);
        if let Some(after) = &self.after {
            range = range.after(after.clone());
        }
        match self.revision {
            Some(revision) => range.at(revision),
            None => range,
        }
    }

    fn read(mut self, server: &ApiServer, selection: &Selection) -> Result<PageContent, Status> {
        let paging = self.after.is_some();
        let mut items: Vec<Arc<KeyValue<Stored>>> = Vec::new();
        loop {
            let everything = selection.is_everything();
            let chunk =
                if everything || self.limit == 0 { self.limit } else { self.limit.max(CHUNK) };
            let response = server
                .store()
                .range(&self.range(chunk))
                .map_err(|error| error::unreadable_list(&error, paging))?;
            let revision = response.revision;
            if everything {
                let more = response.more;
                let token =
                    response.kvs.last().filter(|_| more).map(|kv| self.token(revision, &kv.key));
                let remaining = more.then_some(response.remaining);
                return Ok(PageContent { items: response.kvs, revision, token, remaining });
            }
            let last_of_chunk = response.kvs.last().map(|kv| kv.key.to_string());
            let mut rest = response.kvs.into_iter();
            while let Some(kv) = rest.next() {
                if !selection.selects(&kv.value) {
                    continue;
                }
                let full = self.limit > 0 && items.len() + 1 == self.limit;
                let token = (full && (response.more || rest.len() > 0))
                    .then(|| self.token(revision, &kv.key));
                items.push(kv);
                if full {
                    return Ok(PageContent { items, revision, token, remaining: None });
                }
            }
            if !response.more {
                return Ok(PageContent { items, revision, token: None, remaining: None });
            }
            self.revision = Some(revision);
            self.after = last_of_chunk;
        }
    }

    fn token(&self, revision: Revision, last: &str) -> String {
        let after = last.strip_prefix(self.prefix).unwrap_or(last).to_owned();
        ContinueToken { revision, after }.encode()
    }
}
