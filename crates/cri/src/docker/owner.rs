//! Whose an object of the engine is, and removing what is not wanted any more.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
    RemoveVolumeOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use world::edge::{sleep, timeout};

use super::{CLUSTER_LABEL, OWNER_LABEL, error};
use crate::runtime::Error;

/// The labels that say whose an object is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labels<'a> {
    pub(super) cluster: &'a str,
    pub(super) owner: &'a str,
}

/// This process as a label: host, process id and its start, by which a reused id is told apart.
pub(super) fn this_process() -> String {
    let pid = std::process::id();
    format!("{}/{pid}/{}", host(), start_of(pid).unwrap_or_default())
}

/// The boot of this host, or its name where there is no such thing.
fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let boot = read("/proc/sys/kernel/random/boot_id").or_else(|| read("/etc/hostname"));
    boot.map_or_else(|| "host".to_owned(), |text| text.trim().to_owned())
}

/// What tells one process of number `pid` from another: its start in clock ticks since the boot, or
/// in the words of `ps`. `None` when there is no such process, or only what is left of it until its
/// parent asks how it ended.
fn start_of(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        return start_in(&stat).map(str::to_owned);
    }
    let pid = pid.to_string();
    let output = std::process::Command::new("ps").args(["-o", "lstart=", "-p", &pid]).output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join("-")).filter(|text| !text.is_empty())
}

/// The start in the text of `/proc/PID/stat`; `None` for a process that has ended.
fn start_in(stat: &str) -> Option<&str> {
    // The name in parentheses may contain anything; the state is the first field after it and the
    // start the 20th.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X" | "x");
    fields.nth(18).filter(|_| !ended)
}

/// Whether the process that `owner` names ran here and does not any more. A host that was restarted
/// since has none of its processes left; other hosts' processes are not judged.
pub(super) fn is_gone(owner: &str) -> bool {
    let mut parts = owner.splitn(3, '/');
    let (Some(boot), Some(pid), Some(start)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Ok(pid) = pid.parse::<u32>() else { return false };
    // On Linux the first part changes with every boot. An engine is shared by several hosts only
    // over the network, which this program does not use.
    boot != host() || start_of(pid).as_deref() != Some(start)
}

type Wanted<'a> = &'a (dyn Fn(Labels<'_>) -> bool + Sync);

/// How long what resists is left alone, time after time.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(4)];

/// Removes every labelled object that `unwanted` says so of: containers, then volumes, networks and
/// images. What is in use, perhaps by something that is just going, is tried again for some seconds.
pub(super) async fn remove(docker: &Docker, unwanted: Wanted<'_>) -> Result<(), Error> {
    for pause in PAUSES {
        if remove_once(docker, unwanted).await? {
            return Ok(());
        }
        sleep(pause).await;
    }
    remove_once(docker, unwanted).await.map(drop)
}

/// Whether nothing has resisted.
async fn remove_once(docker: &Docker, unwanted: Wanted<'_>) -> Result<bool, Error> {
    let containers = remove_containers(docker, unwanted).await?;
    let rest = [
        remove_volumes(docker, unwanted).await,
        remove_networks(docker, unwanted).await,
        remove_images(docker, unwanted).await,
    ];
    let rest: Vec<bool> = rest.into_iter().collect::<Result<_, _>>()?;
    Ok(containers && rest.into_iter().all(|gone| gone))
}

/// Runs all removals; whether every object is gone now.
async fn all_gone<T>(removals: impl Iterator<Item = impl Future<Output = Removed<T>>>) -> bool {
    let is_gone = |removed: Removed<T>| match removed {
        Ok(_) => true,
        Err(failed) => error::is_missing(&failed),
    };
    join_all(removals).await.into_iter().all(is_gone)
}

type Removed<T> = Result<T, bollard::errors::Error>;

fn filter() -> BTreeMap<String, Vec<String>> {
    BTreeMap::from([("label".to_owned(), vec![CLUSTER_LABEL.to_owned()])])
}

fn labelled<'a>(labels: impl Iterator<Item = (&'a String, &'a String)>) -> Labels<'a> {
    let mut found = Labels { cluster: "", owner: "" };
    for (key, value) in labels {
        match key.as_str() {
            CLUSTER_LABEL => found.cluster = value,
            OWNER_LABEL => found.owner = value,
            _ => {}
        }
    }
    found
}

/// How long a removal that is under way is waited for.
const REMOVAL: Duration = Duration::from_secs(10);

async fn remove_containers(docker: &Docker, unwanted: Wanted<'_>) -> Result<bool, Error> {
    let filters = filter().into_iter().collect();
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let all = docker.list_containers(Some(options)).await.map_err(error::from_engine)?;
    let ids = all.into_iter().filter_map(|container| {
        let labels = container.labels.unwrap_or_default();
        unwanted(labelled(labels.iter())).then_some(container.id).flatten()
    });
    let removals = ids.map(|id| async move {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let removed = docker.remove_container(&id, Some(options)).await;
        if removed.is_err() {
            // Most likely it is being removed already: it is gone when that is done.
            let removed = WaitContainerOptionsBuilder::default().condition("removed").build();
            let mut gone = docker.wait_container(&id, Some(removed));
            drop(timeout(REMOVAL, gone.next()).await);
        }
        removed
    });
    Ok(all_gone(removals).await)
}

async fn remove_volumes(docker: &Docker, unwanted: Wanted<'_>) -> Result<bool, Error> {
    let filters = filter().into_iter().collect();
    let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
    let all = docker.list_volumes(Some(options)).await.map_err(error::from_engine)?;
    let volumes = all.volumes.unwrap_or_default().into_iter();
    let names = volumes.filter(|volume| unwanted(labelled(volume.labels.iter()))).map(|v| v.name);
    let removals = names.map(|name| async move {
        let options = RemoveVolumeOptionsBuilder::default().force(true).build();
        docker.remove_volume(&name, Some(options)).await
    });
    Ok(all_gone(removals).await)
}

async fn remove_networks(docker: &Docker, unwanted: Wanted<'_>) -> Result<bool, Error> {
    let filters = filter().into_iter().collect();
    let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
    let all = docker.list_networks(Some(options)).await.map_err(error::from_engine)?;
    let ids = all.into_iter().filter_map(|network| {
        let labels = network.labels.unwrap_or_default();
        unwanted(labelled(labels.iter())).then_some(network.id).flatten()
    });
    Ok(all_gone(ids.map(|id| async move { docker.remove_network(&id).await })).await)
}

async fn remove_images(docker: &Docker, unwanted: Wanted<'_>) -> Result<bool, Error> {
    let filters = filter().into_iter().collect();
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let all = docker.list_images(Some(options)).await.map_err(error::from_engine)?;
    let images = all.into_iter().filter(|image| unwanted(labelled(image.labels.iter())));
    let removals = images.map(|image| async move {
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        docker.remove_image(&image.id, Some(options), None).await
    });
    Ok(all_gone(removals).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_nobody_has_waited_for_is_gone() {
        let stat = |state: &str| {
            format!("7 (a) b) {state} 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 431497 0 0")
        };
        assert_eq!(start_in(&stat("S")), Some("431497"));
        assert_eq!(start_in(&stat("Z")), None);
        assert_eq!(start_in("7 (a"), None);
    }

    #[test]
    fn only_processes_that_ended_are_gone() {
        let own = this_process();
        assert!(!is_gone(&own), "{own}");
        let (rest, _) = own.rsplit_once('/').unwrap();
        assert!(is_gone(&format!("{rest}/1")), "another process of the same number");
        assert!(is_gone("an-earlier-boot/1/1"));
        assert!(!is_gone("") && !is_gone("something else"));
    }
}
