//! What the types of [`crate::spec`] cannot say about a rehearsal.
//!
//! Invariant: the first problem, in the order of the file, is the one that is told.

use std::collections::BTreeSet;

use apimachinery::{Gvk, ObjectExt as _, Value};
use petgraph::algo::toposort;
use petgraph::graphmap::DiGraphMap;

use super::{Manifest, Source};
use crate::diagnostic::Diagnostic;
use crate::place::TagName;
use crate::spec::{Build, Check, Condition, FieldCondition, Rehearsal, Stage, Step};

/// Checks what the types of [`crate::spec`] cannot say.
pub(super) struct Checker<'a> {
    pub(super) spec: &'a Rehearsal,
    pub(super) source: &'a Source,
}

impl Checker<'_> {
    fn problem(&self, path: &str, message: String) -> Diagnostic {
        self.source.problem(path, message)
    }

    /// Checks the rehearsal; gives the stages in order of promotion.
    pub(super) fn check(&self) -> Result<Vec<usize>, Diagnostic> {
        let spec = self.spec;
        if spec.rehearsal != "v1" {
            let text =
                format!("unknown format version {:?}, this program reads v1", spec.rehearsal);
            return Err(self.problem("rehearsal", text));
        }
        self.check_clusters()?;
        let order = self.check_stages()?;
        for (reference, image) in &spec.images {
            let behaviour = apimachinery::json::to_value(&image.simulate).unwrap_or_default();
            self.check_behaviour(&format!("images[{reference}].simulate"), &behaviour)?;
            if let Some(build) = &image.build {
                self.check_build(&format!("images[{reference}].build"), build)?;
            }
        }
        let mut pulled = BTreeSet::new();
        for (index, step) in spec.steps.iter().enumerate() {
            let place = format!("steps[{index}]");
            self.check_step(&place, step)?;
            self.check_expectation(&place, step)?;
            self.check_moves(&place, step, &mut pulled)?;
        }
        Ok(order)
    }

    fn check_clusters(&self) -> Result<(), Diagnostic> {
        let names = &self.spec.clusters;
        for (index, name) in names.iter().enumerate() {
            let place = format!("clusters[{index}]");
            if name.is_empty() || name.contains(['/', ':', '@']) {
                let text = format!("{name:?} is no name for a cluster");
                return Err(self.problem(&place, text));
            }
            if names[..index].contains(name) {
                return Err(self.problem(&place, format!("there is a cluster {name:?} already")));
            }
        }
        Ok(())
    }

    fn check_stages(&self) -> Result<Vec<usize>, Diagnostic> {
        let stages = &self.spec.stages;
        if stages.is_empty() {
            return Err(self.problem("stages", "at least one stage is needed".to_owned()));
        }
        let mut graph = DiGraphMap::<usize, ()>::new();
        for (index, stage) in stages.iter().enumerate() {
            graph.add_node(index);
            let place = format!("stages[{index}]");
            self.check_cluster_of_stage(&place, stage)?;
            let same =
                |other: &&Stage| other.project == stage.project && other.cluster == stage.cluster;
            if stages[..index].iter().find(same).is_some() {
                let text = format!("project {:?} is a stage already", stage.name());
                return Err(self.problem(&format!("{place}.project"), text));
            }
            let Some(source) = &stage.promoted_from else { continue };
            let (cluster, project) = source.split_once('/').unwrap_or(("", source));
            let found = self
                .spec
                .stage_of(cluster, project)
                .map_err(|text| self.problem(&format!("{place}.promotedFrom"), text))?;
            graph.add_edge(found, index, ());
        }
        toposort(&graph, None).map_err(|cycle| {
            let place = format!("stages[{}].promotedFrom", cycle.node_id());
            self.problem(&place, "stages are promoted in a circle".to_owned())
        })
    }

    fn check_cluster_of_stage(&self, place: &str, stage: &Stage) -> Result<(), Diagnostic> {
        let names = &self.spec.clusters;
        if stage.cluster.is_empty() && !names.is_empty() {
            let text = format!("cluster is missing: one of {}", names.join(", "));
            return Err(self.problem(place, text));
        }
        if stage.cluster.is_empty() {
            return Ok(());
        }
        let known = self.spec.cluster_of(&stage.cluster, "").map(|_| ());
        known.map_err(|text| self.problem(&format!("{place}.cluster"), text))
    }

    /// Whether the configs that parity and verifications name are among the manifests.
    pub(super) fn check_configs(&self, manifests: &[Vec<Manifest>]) -> Result<(), Diagnostic> {
        let spec = self.spec;
        let known = |place: String, stage: usize, name: &str| {
            let objects = manifests.get(stage).map(Vec::as_slice).unwrap_or_default();
            let project = spec.stages[stage].name();
            let found = objects.iter().any(|manifest| {
                manifest.resource.kind == "DeploymentConfig" && manifest.object.name() == name
            });
            let text = format!("the manifests of {project:?} have no DeploymentConfig {name:?}");
            if found { Ok(()) } else { Err(self.problem(&place, text)) }
        };
        if let Some(parity) = &spec.parity {
            for stage in 0..spec.stages.len() {
                let place = "parity.deploymentConfig".to_owned();
                known(place, stage, &parity.deployment_config)?;
            }
        }
        for (index, step) in spec.steps.iter().enumerate() {
            if let Some(verify) = &step.verify_deployment {
                let place = format!("steps[{index}].verifyDeployment");
                let stage =
                    self.stage(&format!("{place}.project"), &verify.cluster, &verify.project)?;
                known(format!("{place}.deploymentConfig"), stage, &verify.deployment_config)?;
            }
        }
        Ok(())
    }

    /// Whether the numbers of a behaviour make sense: times from now on, HTTP status codes.
    fn check_behaviour(&self, place: &str, behaviour: &Value) -> Result<(), Diagnostic> {
        const LONGEST_SECONDS: f64 = 1e9;
        for (key, value) in behaviour.as_object().into_iter().flatten() {
            let place = format!("{place}.{key}");
            if let Some(number) = value.as_f64() {
                let time = key.ends_with("Seconds");
                if time && !(0.0..=LONGEST_SECONDS).contains(&number) {
                    return Err(self.problem(&place, "must be between 0 and 1e9".to_owned()));
                }
                if key == "status" && !(100.0..600.0).contains(&number) {
                    let text = "must be an HTTP status code, 100 to 599".to_owned();
                    return Err(self.problem(&place, text));
                }
            }
            self.check_behaviour(&place, value)?;
        }
        Ok(())
    }

    fn check_build(&self, place: &str, build: &Build) -> Result<(), Diagnostic> {
        let set = [build.web.is_some(), build.context.is_some()];
        self.exactly_one(place, &set, "web, context")
    }

    fn check_step(&self, place: &str, step: &Step) -> Result<(), Diagnostic> {
        let set = [
            step.new_project.is_some(),
            step.apply.is_some(),
            step.publish.is_some(),
            step.tag.is_some(),
            step.verify_deployment.is_some(),
            step.approve.is_some(),
            step.wait.is_some(),
            step.check.is_some(),
            step.pull.is_some(),
            step.push.is_some(),
            step.copy.is_some(),
            step.remove.is_some(),
        ];
        let names = "newProject, apply, publish, tag, verifyDeployment, approve, wait, check, pull, \
                     push, copy, remove";
        self.exactly_one(place, &set, names)?;
        let stages = [("newProject", &step.new_project), ("apply", &step.apply)];
        for (field, reference) in stages {
            if let Some(reference) = reference {
                let place = format!("{place}.{field}.project");
                self.stage(&place, &reference.cluster, &reference.project)?;
            }
        }
        if let Some(publish) = &step.publish {
            if !self.spec.images.contains_key(&publish.image) {
                let text = format!("there is no image {:?} under images", publish.image);
                return Err(self.problem(&format!("{place}.publish.image"), text));
            }
            self.check_tag(&format!("{place}.publish.to"), &publish.to)?;
        }
        if let Some(tag) = &step.tag {
            let from = self.check_tag(&format!("{place}.tag.from"), &tag.from)?;
            let to = self.check_tag(&format!("{place}.tag.to"), &tag.to)?;
            if from != to {
                let text = "a tag cannot follow an image into another cluster; copy it, or pull and \
                            push it";
                return Err(self.problem(&format!("{place}.tag.to"), text.to_owned()));
            }
        }
        match &step.check {
            Some(check) => self.check_check(&format!("{place}.check"), check),
            None => Ok(()),
        }
    }

    /// Checks the steps that move images between registries; `pulled` are the names by which the
    /// integration environment has images.
    fn check_moves<'b>(
        &self,
        place: &str,
        step: &'b Step,
        pulled: &mut BTreeSet<&'b str>,
    ) -> Result<(), Diagnostic> {
        let have = |place: &str, image: &str, pulled: &BTreeSet<&str>| {
            let text = format!("no step before this one pulls {image:?}");
            if pulled.contains(image) { Ok(()) } else { Err(self.problem(place, text)) }
        };
        if let Some(pull) = &step.pull {
            self.check_tag(&format!("{place}.pull.image"), &pull.image)?;
            pulled.insert(&pull.image);
        }
        if let Some(push) = &step.push {
            have(&format!("{place}.push.image"), &push.image, pulled)?;
            self.check_tag(&format!("{place}.push.to"), &push.to)?;
            pulled.insert(&push.to);
        }
        if let Some(copy) = &step.copy {
            self.check_tag(&format!("{place}.copy.from"), &copy.from)?;
            self.check_tag(&format!("{place}.copy.to"), &copy.to)?;
        }
        for (index, image) in step.remove.iter().flat_map(|remove| &remove.images).enumerate() {
            have(&format!("{place}.remove.images[{index}]"), image, pulled)?;
            pulled.remove(image.as_str());
        }
        Ok(())
    }

    fn check_expectation(&self, place: &str, step: &Step) -> Result<(), Diagnostic> {
        if step.refused.is_some() && step.fails.is_some() {
            let text = "only one of refused, fails may be set".to_owned();
            return Err(self.problem(&format!("{place}.fails"), text));
        }
        let Some(refusal) = &step.refused else { return Ok(()) };
        let place = format!("{place}.refused");
        if refusal.reason.is_none() && refusal.contains.is_none() {
            return Err(self.problem(&place, "one of reason, contains must be set".to_owned()));
        }
        let acts = [
            step.approve.is_some(),
            step.wait.is_some(),
            step.check.is_some(),
            step.verify_deployment.is_some(),
            step.remove.is_some(),
        ];
        if acts.contains(&true) {
            let text = "this step asks the API for nothing that it could refuse; use fails";
            return Err(self.problem(&place, text.to_owned()));
        }
        Ok(())
    }

    fn stage(&self, place: &str, cluster: &str, project: &str) -> Result<usize, Diagnostic> {
        self.spec.stage_of(cluster, project).map_err(|text| self.problem(place, text))
    }

    fn check_check(&self, place: &str, check: &Check) -> Result<(), Diagnostic> {
        let set = [check.always.is_some(), check.eventually.is_some()];
        self.exactly_one(place, &set, "always, eventually")?;
        for (field, condition) in [("always", &check.always), ("eventually", &check.eventually)] {
            let Some(condition) = condition else { continue };
            self.check_condition(&format!("{place}.{field}"), condition)?;
        }
        Ok(())
    }

    fn check_condition(&self, place: &str, condition: &Condition) -> Result<(), Diagnostic> {
        let set =
            [condition.ready_pods.is_some(), condition.field.is_some(), condition.page.is_some()];
        self.exactly_one(place, &set, "readyPods, field, page")?;
        self.check_cluster_of_condition(place, condition)?;
        if let Some(pods) = &condition.ready_pods
            && pods.at_least.is_none()
            && pods.at_most.is_none()
        {
            let text = "one of atLeast, atMost must be set".to_owned();
            return Err(self.problem(&format!("{place}.readyPods"), text));
        }
        match &condition.field {
            Some(field) => self.check_field(&format!("{place}.field"), field),
            None => Ok(()),
        }
    }

    fn check_cluster_of_condition(
        &self,
        place: &str,
        condition: &Condition,
    ) -> Result<(), Diagnostic> {
        let (kind, cluster, project) = condition.subject();
        if self.spec.clusters.is_empty() && cluster.is_empty() {
            return Ok(());
        }
        let found = self.spec.cluster_of(cluster, project).map(|_| ());
        found.map_err(|text| self.problem(&format!("{place}.{kind}"), text))
    }

    fn check_field(&self, place: &str, field: &FieldCondition) -> Result<(), Diagnostic> {
        let set = [field.equals.is_some(), field.at_least.is_some(), field.at_most.is_some()];
        self.exactly_one(place, &set, "equals, atLeast, atMost")?;
        let gvk = Gvk::from_api_version(&field.api_version, &field.kind);
        if api::find_kind(&gvk.group, &gvk.version, &gvk.kind).is_none() {
            let (kind, version) = (&field.kind, &field.api_version);
            let text = format!("no matches for kind {kind:?} in version {version:?}");
            return Err(self.problem(&format!("{place}.kind"), text));
        }
        Ok(())
    }

    /// Checks a tag; gives the number of its cluster.
    fn check_tag(&self, place: &str, tag: &str) -> Result<usize, Diagnostic> {
        let form = match self.spec.clusters.is_empty() {
            true => "<project>/<stream>:<tag>",
            false => "<cluster>/<project>/<stream>:<tag>",
        };
        let Some(name) = TagName::parse(tag) else {
            let text = format!("{tag:?} must be of the form {form}");
            return Err(self.problem(place, text));
        };
        self.spec.cluster_of(name.cluster, name.project).map_err(|text| self.problem(place, text))
    }

    fn exactly_one(&self, place: &str, set: &[bool], names: &str) -> Result<(), Diagnostic> {
        match set.iter().filter(|set| **set).count() {
            1 => Ok(()),
            0 => Err(self.problem(place, format!("one of {names} must be set"))),
            _ => Err(self.problem(place, format!("only one of {names} may be set"))),
        }
    }
}
