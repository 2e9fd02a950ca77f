//! What containers answer to probes, hooks and requests.

use std::time::Duration;

use super::super::behaviour::seconds;
use super::super::shell::{Played, Start, of_exec};
use super::{Container, State, volumes};
use crate::config::{HttpGet, host_port};
use crate::runtime::{Error, Reply, Ticket};

impl State {
    /// Runs a command as a probe or hook does: as its script says, as it can be told from the command
    /// ([`of_exec`]), or else well while the container is.
    pub(super) fn exec(&mut self, ticket: Ticket, id: &str, command: &[String]) {
        let now = self.world.now();
        let mut after = self.jittered(20);
        let result = match self.containers.get(id) {
            Some(container) if container.running_since().is_some() => {
                let age = container.age(now);
                let behaviour = &container.behaviour;
                let scripted = behaviour.exec.iter().find(|entry| entry.answers(command, age));
                after += scripted.map_or_else(|| self.slowness(id), |e| seconds(e.after_seconds));
                Ok(match scripted {
                    Some(entry) => Reply::Exec {
                        exit_code: entry.code,
                        output: format!("{}{}", entry.stdout, entry.stderr),
                        stderr: entry.stderr.clone(),
                    },
                    None if container.answers(now) => {
                        let played = self.played(container, command);
                        after +=
                            played.as_ref().map_or(Duration::ZERO, |p| seconds(p.after_seconds));
                        let lines = played.iter().flat_map(|played| &played.lines);
                        Reply::Exec {
                            exit_code: played.as_ref().map_or(0, |played| played.code),
                            output: lines.map(|(_, line)| format!("{line}\n")).collect(),
                            stderr: String::new(),
                        }
                    }
                    None => Reply::Exec {
                        exit_code: 1,
                        output: "not ready\n".to_owned(),
                        stderr: "not ready\n".to_owned(),
                    },
                })
            }
            Some(_) => Err(Error::Engine(format!(
                "Error response from daemon: Container {id} is not running"
            ))),
            None => Err(Error::NoSuchContainer(id.to_owned())),
        };
        self.done(ticket, after, result);
    }

    /// What a command that the image's script does not name comes to.
    fn played(&self, container: &Container, command: &[String]) -> Option<Played> {
        let home = self.sandboxes.get(&container.sandbox)?;
        let config = &container.config.part;
        let files = || volumes::seen(&config.mounts, Some(&home.volumes));
        let files = || container.files.clone().unwrap_or_else(files);
        let start = Start { hostname: &home.pod_name, now: self.world.now(), files: &files };
        of_exec(&container.behaviour, &container.config.env, &start, command)
    }

    /// How long container `id` takes to answer.
    fn slowness(&self, id: &str) -> Duration {
        let behaviour = self.containers.get(id).map(|container| &container.behaviour);
        behaviour.and_then(|behaviour| behaviour.answer_seconds).map_or(Duration::ZERO, seconds)
    }

    pub(super) fn http(&mut self, ticket: Ticket, id: &str, request: &HttpGet) {
        let now = self.world.now();
        let slow = self.slowness(id);
        let answering = self.containers.get(id).filter(|c| c.answers(now));
        let result = match answering {
            Some(_) if slow >= request.timeout => Err(Error::Connect(format!(
                "Get {}: net/http: request canceled (Client.Timeout exceeded while awaiting \
                 headers)",
                request.url()
            ))),
            Some(container) => {
                let answer = container.behaviour.http_answer(&request.path, container.age(now));
                Ok(Reply::Http { status: answer.status, body: answer.body })
            }
            None => Err(Error::Connect(format!(
                "Get {}: dial tcp {}: connect: connection refused",
                request.url(),
                host_port(&request.host, request.port)
            ))),
        };
        let after = if answering.is_some() { slow.min(request.timeout) } else { Duration::ZERO };
        self.done(ticket, self.jittered(2) + after, result);
    }

    pub(super) fn tcp(
        &mut self,
        ticket: Ticket,
        id: &str,
        (host, port): (&str, u16),
        timeout: Duration,
    ) {
        let now = self.world.now();
        let slow = self.slowness(id);
        let answers = self.containers.get(id).is_some_and(|c| c.answers(now));
        let address = host_port(host, port);
        let result = match answers {
            true if slow >= timeout => {
                Err(Error::Connect(format!("dial tcp {address}: i/o timeout")))
            }
            true => Ok(Reply::Done),
            false => {
                Err(Error::Connect(format!("dial tcp {address}: connect: connection refused")))
            }
        };
        let after = if answers { slow.min(timeout) } else { Duration::ZERO };
        self.done(ticket, self.jittered(2) + after, result);
    }
}
