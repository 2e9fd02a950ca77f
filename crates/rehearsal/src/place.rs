//! Which cluster and project a name in a rehearsal means.
//!
//! A rehearsal of one cluster names projects alone. With several, a project may be in more than one:
//! then the cluster is said too, as `cluster: prod` beside `project:`, and as the first part of
//! `cluster/project/stream:tag`.
//!
//! Invariant: pure; a name means the same at every step.

use std::fmt;

use crate::spec::{Rehearsal, Stage};

/// `[cluster/]project/stream:tag`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagName<'a> {
    /// The cluster; empty when it is not said.
    pub cluster: &'a str,
    /// The project.
    pub project: &'a str,
    /// The image stream.
    pub stream: &'a str,
    /// The tag.
    pub tag: &'a str,
}

impl<'a> TagName<'a> {
    /// Reads `[cluster/]project/stream:tag`; `None` when a part is missing or there is one too many.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (path, tag) = text.split_once(':')?;
        let (rest, stream) = path.rsplit_once('/')?;
        let (cluster, project) = match rest.split_once('/') {
            Some((cluster, project)) if !cluster.is_empty() => (cluster, project),
            Some(_) => return None,
            None => ("", rest),
        };
        let parts = [project, stream, tag];
        let plain = parts.iter().all(|part| !part.is_empty() && !part.contains(['/', ':', '@']));
        plain.then_some(Self { cluster, project, stream, tag })
    }
}

impl fmt::Display for TagName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.cluster.is_empty() {
            write!(f, "{}/", self.cluster)?;
        }
        write!(f, "{}/{}:{}", self.project, self.stream, self.tag)
    }
}

impl Rehearsal {
    /// The clusters; one without a name when the file names none.
    #[must_use]
    pub fn cluster_names(&self) -> Vec<&str> {
        if self.clusters.is_empty() {
            return vec![""];
        }
        self.clusters.iter().map(String::as_str).collect()
    }

    /// The number of the cluster that `cluster` (may be empty) and `project` mean.
    ///
    /// # Errors
    /// A sentence on why they mean none, or more than one.
    pub fn cluster_of(&self, cluster: &str, project: &str) -> Result<usize, String> {
        let number = |name: &str| self.clusters.iter().position(|one| one == name);
        if !cluster.is_empty() {
            return number(cluster).ok_or_else(|| format!("there is no cluster {cluster:?}"));
        }
        if self.clusters.is_empty() {
            return Ok(0);
        }
        let stages = self.stages.iter().filter(|stage| stage.project == project);
        let mut found: Vec<usize> = stages.filter_map(|stage| number(&stage.cluster)).collect();
        found.dedup();
        match *found {
            [only] => Ok(only),
            [] => Err(format!("there is no stage {project:?}")),
            _ => Err(format!("project {project:?} is in several clusters, say which")),
        }
    }

    /// The number of the stage that `cluster` (may be empty) and `project` mean.
    ///
    /// # Errors
    /// A sentence on why they mean none, or more than one.
    pub fn stage_of(&self, cluster: &str, project: &str) -> Result<usize, String> {
        let at = self.cluster_of(cluster, project)?;
        let names = self.cluster_names();
        let found = self.stages.iter().position(|stage| {
            stage.project == project && (stage.cluster == names[at] || self.clusters.is_empty())
        });
        found.ok_or_else(|| format!("there is no stage {:?}", joined(cluster, project)))
    }

    /// Whether images go through registries: then a Docker run starts one for every cluster.
    #[must_use]
    pub fn moves_images(&self) -> bool {
        let moves = |step: &crate::spec::Step| {
            step.pull.is_some() || step.push.is_some() || step.copy.is_some()
        };
        !self.clusters.is_empty() || self.steps.iter().any(moves)
    }
}

impl Stage {
    /// What reports call the stage: its project, and its cluster when there are several.
    #[must_use]
    pub fn name(&self) -> String {
        joined(&self.cluster, &self.project)
    }
}

/// `cluster/project`, or the project alone.
#[must_use]
pub fn joined(cluster: &str, project: &str) -> String {
    match (cluster, project) {
        ("", project) => project.to_owned(),
        (cluster, "") => cluster.to_owned(),
        (cluster, project) => format!("{cluster}/{project}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_three_parts_or_four() {
        let tag = TagName::parse("dev/web:v1").unwrap();
        assert_eq!((tag.cluster, tag.project, tag.stream, tag.tag), ("", "dev", "web", "v1"));
        let tag = TagName::parse("east/dev/web:v1").unwrap();
        assert_eq!((tag.cluster, tag.project, tag.stream, tag.tag), ("east", "dev", "web", "v1"));
        assert_eq!(tag.to_string(), "east/dev/web:v1");
        for bad in
            ["web:v1", "dev/web", "/dev/web:v1", "a/b/c/d:e", "dev/web:", "dev/web:a:b", "dev//w:a"]
        {
            assert_eq!(TagName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_project_alone_means_the_only_cluster_that_has_it() {
        let text = "{rehearsal: v1, name: n, clusters: [east, west], steps: [], stages: [
            {project: both, cluster: east}, {project: both, cluster: west}, {project: one, cluster: west}]}";
        let spec: Rehearsal = serde_yaml::from_str(text).unwrap();
        assert_eq!(spec.stage_of("", "one"), Ok(2));
        assert_eq!(spec.stage_of("west", "both"), Ok(1));
        assert_eq!(
            spec.stage_of("", "both").unwrap_err(),
            "project \"both\" is in several clusters, say which"
        );
        assert_eq!(spec.stage_of("east", "one").unwrap_err(), "there is no stage \"east/one\"");
        assert_eq!(spec.cluster_of("north", "one").unwrap_err(), "there is no cluster \"north\"");
        assert_eq!(spec.cluster_of("", "none").unwrap_err(), "there is no stage \"none\"");
    }
}
