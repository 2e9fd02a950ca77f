//! Starting one container: back-off, image, configuration, creation, start, postStart hook.
//!
//! Mirrors: `pkg/kubelet/kuberuntime/kuberuntime_container.go` `startContainer`, `pkg/kubelet/images`.

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use controller_runtime::EventType;
use cri::{Command, Error, Id, Image, Reply};

use super::io::{Io, Purpose};
use super::{Active, Starting, Worker};
use crate::record::{Exit, Instance, container_hash};

impl Worker {
    pub(super) fn begin_start(&mut self, starting: Starting, io: &mut Io<'_, '_>) {
        if self.ending() {
            return self.steps.clear();
        }
        let name = starting.name.as_str();
        let now = io.now();
        // An instance killed by this same sync does not count: what is waited for is the one before.
        let killed = self.killed.contains(name);
        let record = self.record.container_mut(name);
        let exited = if killed {
            record.previous.as_ref().and_then(|instance| instance.exit.as_deref())
        } else {
            record.last_exit()
        };
        if let Some(finished_at) = exited.map(|exit| exit.finished_at) {
            let crash = record.crash;
            if crash.waits_since(finished_at, now) {
                let message = self.crash_message(name, crash);
                let text = "Back-off restarting failed container";
                self.container_event(io, name, EventType::Warning, "BackOff", text);
                return self.start_failed(&starting, "CrashLoopBackOff", message, io);
            }
            record.crash.advance(now);
        }
        self.begin_image(starting, io);
    }

    fn begin_image(&mut self, starting: Starting, io: &mut Io<'_, '_>) {
        let image = self.image_of(&starting);
        if api::views::image::ImageReference::parse(&image).is_none() {
            let message = invalid_reference(&image);
            let name = &starting.name;
            self.container_event(io, name, EventType::Warning, "InspectFailed", &message);
            return self.image_failed(&starting, "InvalidImageName", message, io);
        }
        self.active = Some(Active::ImageStatus(starting));
        self.submit(io, Purpose::Step, Command::ImageStatus { image });
    }

    fn image_of(&self, starting: &Starting) -> String {
        self.spec_of(&starting.name).map_or("", |c| c.str_at(&["image"])).to_owned()
    }

    /// Notes why a container does not run; the other containers of the plan get their turn.
    fn start_failed(
        &mut self,
        starting: &Starting,
        reason: &str,
        message: String,
        io: &mut Io<'_, '_>,
    ) {
        let record = self.record.container_mut(&starting.name);
        record.waiting = Some(Box::new((reason.to_owned(), message)));
        if starting.init {
            self.steps.clear();
        }
        self.fail_sync(io);
    }

    /// As [`Self::start_failed`], with the event that goes with every image trouble.
    fn image_failed(
        &mut self,
        starting: &Starting,
        reason: &str,
        message: String,
        io: &mut Io<'_, '_>,
    ) {
        let text = format!("Error: {reason}");
        self.container_event(io, &starting.name, EventType::Warning, "Failed", &text);
        self.start_failed(starting, reason, message, io);
    }

    pub(super) fn image_known(
        &mut self,
        starting: Starting,
        result: Result<Reply, Error>,
        io: &mut Io<'_, '_>,
    ) {
        let image = self.image_of(&starting);
        let policy = self.spec_of(&starting.name).map_or("", |c| c.str_at(&["imagePullPolicy"]));
        let present = match result {
            Ok(Reply::Image(found)) => found,
            other => {
                let error = other.err().map(|error| error.to_string()).unwrap_or_default();
                let message = format!("Failed to inspect image {image:?}: {error}");
                let name = &starting.name;
                self.container_event(io, name, EventType::Warning, "InspectFailed", &message);
                return self.image_failed(&starting, "ImageInspectError", message, io);
            }
        };
        match (present, policy) {
            // An image that lives on this engine only cannot be pulled, whatever the policy says.
            (Some(found), policy) if policy != "Always" || found.repo_digest.is_empty() => {
                let text = format!("Container image {image:?} already present on machine");
                self.container_event(io, &starting.name, EventType::Normal, "Pulled", &text);
                self.create(starting, found, io);
            }
            (None, "Never") => {
                let message =
                    format!("Container image {image:?} is not present with pull policy of Never");
                let name = &starting.name;
                self.container_event(io, name, EventType::Warning, "ErrImageNeverPull", &message);
                self.image_failed(&starting, "ErrImageNeverPull", message, io);
            }
            _ => self.pull(starting, image, io),
        }
    }

    fn pull(&mut self, starting: Starting, image: String, io: &mut Io<'_, '_>) {
        let now = io.now();
        if self.record.pulls.get(&image).is_some_and(|backoff| backoff.waits(now)) {
            let message = format!("Back-off pulling image {image:?}");
            self.container_event(io, &starting.name, EventType::Normal, "BackOff", &message);
            return self.image_failed(&starting, "ImagePullBackOff", message, io);
        }
        let text = format!("pulling image {image:?}");
        self.container_event(io, &starting.name, EventType::Normal, "Pulling", &text);
        self.active = Some(Active::Pull(starting));
        let own = &self.node.config.credentials;
        let credentials =
            crate::pull_secrets::credentials(&self.pod, &image, &io.objects(&self.pod), own);
        self.submit(io, Purpose::Step, Command::PullImage { image, credentials });
    }

    pub(super) fn pulled(
        &mut self,
        starting: Starting,
        result: Result<Reply, Error>,
        io: &mut Io<'_, '_>,
    ) {
        let image = self.image_of(&starting);
        match result {
            Ok(Reply::Image(Some(found))) => {
                self.record.pulls.remove(&image);
                let text = format!("Successfully pulled image {image:?}");
                self.container_event(io, &starting.name, EventType::Normal, "Pulled", &text);
                self.create(starting, found, io);
            }
            other => {
                let error = other.err().map(|error| error.to_string()).unwrap_or_default();
                let text = format!("Failed to pull image {image:?}: {error}");
                self.container_event(io, &starting.name, EventType::Warning, "Failed", &text);
                self.record.pulls.entry(image).or_default().advance(io.now());
                self.image_failed(&starting, "ErrImagePull", error, io);
            }
        }
    }

    fn create(&mut self, starting: Starting, image: Image, io: &mut Io<'_, '_>) {
        let crate::record::Sandbox::Ready { id: sandbox, .. } = &self.record.sandbox else {
            self.dirty = true;
            return self.steps.clear();
        };
        let Some(container) = self.spec_of(&starting.name) else { return };
        let place = self.place();
        let attempt = self.record.container(&starting.name).map_or(0, |r| r.next_attempt());
        let objects = io.objects(&self.pod);
        let made = crate::container::container_config(
            &self.pod, container, attempt, &image, place, &objects,
        );
        match made {
            Ok((mut config, warnings)) => {
                let sandbox = Id::clone(sandbox);
                config.pod_uid = std::sync::Arc::clone(&self.uid);
                config.pid_of = self.target_of(container);
                for warning in warnings {
                    let reason = "InvalidEnvironmentVariableNames";
                    self.event(io, EventType::Warning, reason, &warning, "");
                }
                self.active = Some(Active::Create(starting, Box::new(image)));
                let config = Box::new(config);
                self.submit(io, Purpose::Step, Command::CreateContainer { sandbox, config });
            }
            Err(error) => {
                let text = format!("Error: {error}");
                self.container_event(io, &starting.name, EventType::Warning, "Failed", &text);
                let reason = "CreateContainerConfigError";
                self.start_failed(&starting, reason, error.to_string(), io);
            }
        }
    }

    /// The running container whose processes an ephemeral container is to see.
    fn target_of(&self, container: &Value) -> Id {
        let target = self.record.container(container.str_at(&["targetContainerName"]));
        let running = target.and_then(|record| record.running());
        running.map(|instance| instance.id.clone()).unwrap_or_default()
    }

    pub(super) fn created(
        &mut self,
        starting: Starting,
        image: &Image,
        result: Result<Reply, Error>,
        io: &mut Io<'_, '_>,
    ) {
        let id = match result {
            Ok(Reply::Container(id)) => id,
            other => {
                let error = other.err();
                let text = error.as_ref().map(ToString::to_string).unwrap_or_default();
                let told = format!("Error: {text}");
                self.container_event(io, &starting.name, EventType::Warning, "Failed", &told);
                if let Some(Error::NoSuchContainer(sandbox)) = &error {
                    // Somebody has removed it, and nobody has told: nothing can begin in it.
                    self.steps.clear();
                    self.sandbox_exited(sandbox, io);
                }
                return self.start_failed(&starting, "CreateContainerError", text, io);
            }
        };
        self.own(&id, io);
        let image_id = io.tickets.image_id(image);
        let hash = self.spec_of(&starting.name).map_or(0, container_hash);
        let record = self.record.container_mut(&starting.name);
        let instance = Instance {
            id: id.clone(),
            attempt: record.next_attempt(),
            image: image.tag.clone(),
            image_id,
            created_at: io.now(),
            started_at: None,
            exit: None,
            hash,
        };
        let oldest = std::mem::replace(&mut record.previous, record.current.take().map(Box::new));
        record.current = Some(instance);
        if let Some(oldest) = oldest {
            self.submit(io, Purpose::Forget, Command::RemoveContainer { id: oldest.id });
        }
        let text = "Created container";
        self.container_event(io, &starting.name, EventType::Normal, "Created", text);
        self.active = Some(Active::Start(starting));
        self.submit(io, Purpose::Step, Command::StartContainer { id });
    }

    pub(super) fn started(
        &mut self,
        starting: Starting,
        result: Result<Reply, Error>,
        io: &mut Io<'_, '_>,
    ) {
        let at = match result {
            Ok(Reply::Started(at)) => at,
            other => {
                let error = other.err();
                let text = error.as_ref().map(ToString::to_string).unwrap_or_default();
                let is_lost = matches!(error, Some(Error::NoSuchContainer(_)));
                return self.not_started(&starting, &text, is_lost, io);
            }
        };
        let record = self.record.container_mut(&starting.name);
        record.waiting = None;
        record.failed_probe = None;
        if let Some(instance) = &mut record.current {
            instance.started_at = Some(at);
        }
        self.dirty = true;
        let text = "Started container";
        self.container_event(io, &starting.name, EventType::Normal, "Started", text);
        self.begin_probes(&starting.name, at);
        self.begin_post_start(starting, io);
    }

    /// An instance that `is_lost` counts for nothing: the engine has it no more.
    fn not_started(
        &mut self,
        starting: &Starting,
        error: &str,
        is_lost: bool,
        io: &mut Io<'_, '_>,
    ) {
        let name = starting.name.as_str();
        let current = self.record.container(name).and_then(|record| record.current.as_ref());
        let id = current.map(|instance| instance.id.clone()).unwrap_or_default();
        let message = |who: &str| format!("failed to start container {who:?}: {error}");
        // Events name the container where the status has its id, so that they are counted together.
        let text = format!("Error: {}", message(name));
        self.container_event(io, name, EventType::Warning, "Failed", &text);
        let finished_at = io.now();
        let record = self.record.container_mut(name);
        if is_lost {
            record.current = record.previous.take().map(|previous| *previous);
        } else if let Some(instance) = &mut record.current {
            let said = error.strip_prefix("Error response from daemon: ").unwrap_or(error);
            instance.exit = Some(Box::new(Exit {
                code: cannot_run_code(error),
                reason: "ContainerCannotRun",
                message: said.to_owned(),
                finished_at,
            }));
            self.dirty = true;
        }
        self.start_failed(starting, "RunContainerError", message(&id), io);
    }

    fn begin_post_start(&mut self, starting: Starting, io: &mut Io<'_, '_>) {
        let running = self.record.container(&starting.name).and_then(|r| r.running());
        let Some(id) = running.map(|instance| instance.id.clone()) else { return };
        match self.hook(&starting.name, "postStart", &id) {
            Some(Ok(command)) => {
                self.active = Some(Active::PostStart(starting));
                self.submit(io, Purpose::Step, command);
            }
            Some(Err(text)) => self.post_started(&starting, &Err(Error::Engine(text)), io),
            None => {}
        }
    }

    pub(super) fn post_started(
        &mut self,
        starting: &Starting,
        result: &Result<Reply, Error>,
        io: &mut Io<'_, '_>,
    ) {
        let name = starting.name.as_str();
        let Some((error, message)) = self.hook_failure(name, "postStart", result) else { return };
        self.container_event(io, name, EventType::Warning, "FailedPostStartHook", &message);
        self.start_failed(starting, &format!("PostStartHookError: {error}"), message, io);
        self.kill(name, "FailedPostStartHook", io);
        self.active = Some(Active::Kill(name.into()));
        self.after_exit(io);
    }
}

/// The exit code that the engine gives a process that it could not start.
fn cannot_run_code(error: &str) -> i64 {
    let says = |text: &str| error.contains(text);
    if says("executable file not found") || says("no such file or directory") || says("not found") {
        127
    } else if says("permission denied") {
        126
    } else {
        128
    }
}

/// What is wrong with a reference that cannot be read.
fn invalid_reference(image: &str) -> String {
    let path = match image.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => rest,
        _ => image,
    };
    let name = path.split(':').next().unwrap_or_default();
    let upper = name.chars().any(char::is_uppercase);
    let detail = if upper { ": repository name must be lowercase" } else { "" };
    format!(
        "Failed to apply default image tag {image:?}: couldn't parse image reference {image:?}: \
         invalid reference format{detail}"
    )
}
