//! Waiting for a pod's volumes, and keeping their files up to date.
//!
//! Deviation: files follow their objects 60 to 90 seconds after a change, each pod by its own draw;
//! upstream's pods do so by where in its period the next sync and the cache of objects stand.

use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use controller_runtime::EventType;
use cri::{Command, PodVolume, VolumeSource};
use world::Time;

use super::Worker;
use super::io::{Io, Purpose};
use crate::container::fs_group;
use crate::record::Sandbox;
use crate::volumes::{Failure, live_volumes, pod_volumes, token_rotation};

/// How long a pod waits before it says that it does.
const TIMEOUT: Duration = Duration::from_secs(123);

/// Volumes on their way.
#[derive(Debug, Default)]
pub(super) struct Mounting {
    since: Option<Time>,
    delay: Duration,
    reported: bool,
    /// What the sandbox under way is to bring along.
    pub(super) volumes: Vec<PodVolume>,
}

impl Worker {
    /// Whether all volumes can be set up; otherwise says so and comes back later.
    pub(super) fn volumes_ready(&mut self, io: &mut Io<'_, '_>) -> bool {
        match pod_volumes(&self.pod, self.place(), &io.objects(&self.pod)) {
            Ok(volumes) => {
                if !volumes.is_empty() || self.mounting.is_some() {
                    self.mounting.get_or_insert_default().volumes = volumes;
                }
                self.plan_rotation(io);
                true
            }
            Err(failures) => {
                self.mount_failed(&failures, io);
                false
            }
        }
    }

    /// Says which volumes are not there, at once each and after a while all, and comes back later.
    pub(super) fn mount_failed(&mut self, failures: &[Failure], io: &mut Io<'_, '_>) {
        let now = io.now();
        let mounting = self.mounting.get_or_insert_default();
        let since = *mounting.since.get_or_insert(now);
        let reports = !mounting.reported && now.since(since) >= TIMEOUT;
        mounting.reported |= reports;
        let (least, most) = (Duration::from_millis(500), Duration::from_secs(122));
        mounting.delay = (mounting.delay * 2).clamp(least, most);
        self.resync_at = Some(now + mounting.delay);
        for failure in failures.iter().filter(|failure| !failure.message.is_empty()) {
            let message = format!(
                "MountVolume.SetUp failed for volume {:?} : {}",
                failure.volume, failure.message
            );
            self.event(io, EventType::Warning, "FailedMount", &message, "");
        }
        if reports {
            let volumes: Vec<&str> = failures.iter().map(|f| f.volume.as_str()).collect();
            let message = self.unmounted(&volumes);
            self.event(io, EventType::Warning, "FailedMount", &message, "");
        }
    }

    fn unmounted(&self, volumes: &[&str]) -> String {
        let (name, ns) = (self.pod.name(), self.pod.namespace());
        let all = self.pod.list_at(&["spec", "volumes"]);
        let all: Vec<&str> = all.iter().map(|volume| volume.str_at(&["name"])).collect();
        format!(
            "Unable to mount volumes for pod \"{name}_{ns}({})\": timeout expired waiting for \
             volumes to attach or mount for pod \"{ns}\"/\"{name}\". list of unmounted volumes=[{}]. \
             list of unattached volumes=[{}]",
            self.uid,
            volumes.join(" "),
            all.join(" ")
        )
    }

    /// Something that the pod's volumes show has changed.
    pub(crate) fn volumes_changed(&mut self, io: &Io<'_, '_>) {
        if self.refresh_at.is_none() {
            let late = Duration::from_millis(60_000 + io.cx.world.random_below(30_000));
            self.refresh_at = Some(io.now() + late);
        }
    }

    /// New labels and annotations reach the files that show them.
    pub(super) fn notice_metadata(&mut self, new: &Value, io: &Io<'_, '_>) {
        let shown = |pod: &Value| {
            let metadata = |field| pod.at(&["metadata", field]).cloned();
            (metadata("labels"), metadata("annotations"))
        };
        let downward = |volume: &Value| {
            let sources = volume.list_at(&["projected", "sources"]);
            volume.at(&["downwardAPI"]).is_some()
                || sources.iter().any(|source| source.at(&["downwardAPI"]).is_some())
        };
        let volumes = new.list_at(&["spec", "volumes"]);
        if volumes.iter().any(downward) && shown(new) != shown(&self.pod) {
            self.volumes_changed(io);
        }
    }

    /// When files are written anew.
    pub(super) fn files_due(&self) -> Option<Time> {
        self.refresh_at.into_iter().chain(self.rotate_at).min()
    }

    fn plan_rotation(&mut self, io: &Io<'_, '_>) {
        self.rotate_at = token_rotation(&self.pod).map(|after| io.now() + after);
    }

    /// Writes the volumes' files anew when it is time.
    pub(super) fn refresh_volumes(&mut self, io: &mut Io<'_, '_>) {
        if self.files_due().is_none_or(|at| at > io.now()) {
            return;
        }
        let Sandbox::Ready { id, .. } = &self.record.sandbox else { return };
        let sandbox = id.clone();
        self.refresh_at = None;
        self.plan_rotation(io);
        for volume in live_volumes(&self.pod, self.place(), &io.objects(&self.pod)) {
            let VolumeSource::Files(files) = volume.source else { continue };
            let (sandbox, volume) = (sandbox.clone(), volume.name);
            let fs_group = fs_group(&self.pod);
            let command = Command::WriteVolume { sandbox, volume, files, fs_group };
            self.submit(io, Purpose::Refresh, command);
        }
    }

    /// Files that could not be written are written again later.
    pub(super) fn refreshed(&mut self, written: bool, io: &Io<'_, '_>) {
        if !written && !self.ending() {
            self.volumes_changed(io);
        }
    }
}

/// The ConfigMaps and Secrets that the volumes of `pod` show, as `configmaps/<name>` and
/// `secrets/<name>`.
pub(crate) fn shown_objects(pod: &Value) -> Vec<String> {
    let mut shown = Vec::new();
    let mut note = |source: &Value, secret_field: &str| {
        if let Some(map) = source.at(&["configMap"]) {
            shown.push(format!("configmaps/{}", map.str_at(&["name"])));
        }
        if let Some(secret) = source.at(&["secret"]) {
            shown.push(format!("secrets/{}", secret.str_at(&[secret_field])));
        }
    };
    for volume in pod.list_at(&["spec", "volumes"]) {
        note(volume, "secretName");
        for source in volume.list_at(&["projected", "sources"]) {
            note(source, "name");
        }
    }
    shown
}
