//! Images: which are there, and what comes of pulling one.

use std::time::Duration;

use super::super::behaviour::seconds;
use super::super::images::Resolved;
use super::State;
use crate::config::Credentials;
use crate::runtime::{Error, Reply, Ticket};

impl State {
    pub(super) fn image_status(&mut self, ticket: Ticket, image: &str) {
        let found = self.images.resolve(image);
        let behaviour = &found.behaviour;
        let absent =
            behaviour.missing || behaviour.pull_error.is_some() || behaviour.pull_seconds.is_some();
        let present = !absent || self.pulled.contains(&*found.image.id);
        let image = present.then(|| found.image.clone());
        self.done(ticket, Duration::ZERO, Ok(Reply::Image(image)));
    }

    pub(super) fn pull(&mut self, ticket: Ticket, reference: &str, shown: &[Credentials]) {
        let found = self.images.resolve(reference);
        if let Some(text) = self.pull_failure(&found, reference, shown) {
            *self.failed_pulls.entry(found.image.id.to_string()).or_default() += 1;
            return self.done(ticket, self.jittered(300), Err(Error::Engine(text)));
        }
        self.pulled.insert(found.image.id.to_string());
        let after = found.behaviour.pull_seconds.map_or_else(|| self.jittered(200), seconds);
        self.done(ticket, after, Ok(Reply::Image(Some(found.image.clone()))));
    }

    /// Why a pull fails, if it does.
    fn pull_failure(
        &self,
        found: &Resolved,
        reference: &str,
        shown: &[Credentials],
    ) -> Option<String> {
        let behaviour = &found.behaviour;
        let failed = self.failed_pulls.get(&*found.image.id).copied().unwrap_or_default();
        if behaviour.pull_failures.is_some_and(|most| failed >= most) {
            return None;
        }
        let said = "rpc error: code = Unknown desc = Error response from daemon:";
        if let Some(login) = &behaviour.pull_credentials
            && !shown
                .iter()
                .any(|one| one.username == login.username && one.password == login.password)
        {
            return Some(format!(
                "{said} pull access denied for {}, repository does not exist or may require \
                 'docker login': denied: requested access to the resource is denied",
                found.repository
            ));
        }
        match &behaviour.pull_error {
            Some(text) => Some(text.clone()),
            None if behaviour.missing => Some(format!(
                "{said} manifest for {reference} not found: manifest unknown: manifest unknown"
            )),
            None if behaviour.pull_failures.is_some() => {
                Some(format!("{said} Get https://{}: EOF", found.repository))
            }
            None => None,
        }
    }
}
