//! Reads a rehearsal and its manifests from disk and checks them as far as that goes without a
//! cluster.
//!
//! Invariant: every refusal names file, line and column.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use api::Resource;
use apimachinery::yaml::{self, Document};
use apimachinery::{Gvk, ObjectExt as _, Value};
use petgraph::algo::toposort;
use petgraph::graphmap::DiGraphMap;

use crate::diagnostic::Diagnostic;
use crate::spec::{Build, Check, Condition, FieldCondition, Rehearsal, Step};

/// The file looked for in a directory.
const FILE_NAME: &str = "rehearsal.yaml";

/// A rehearsal that is ready to run.
#[derive(Debug)]
pub struct Plan {
    /// What the file says.
    pub spec: Rehearsal,
    /// Directory that its paths are relative to.
    pub directory: PathBuf,
    /// Manifests by project.
    pub manifests: BTreeMap<String, Vec<Manifest>>,
    /// Projects in order of promotion.
    pub order: Vec<String>,
}

/// One object of a manifest file.
#[derive(Debug)]
pub struct Manifest {
    /// The file.
    pub file: PathBuf,
    text: String,
    document: Document,
    prefix: String,
    /// What it is.
    pub resource: &'static Resource,
    /// The object.
    pub object: Value,
}

impl Manifest {
    /// A problem at `path` (as validation errors have it) of the object.
    #[must_use]
    pub fn diagnose(&self, path: &str, message: String) -> Diagnostic {
        let full = match (self.prefix.as_str(), path) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}.{path}"),
        };
        let at = self.document.position(&full);
        Diagnostic::at(&self.file, &self.text, at.line, at.column, message)
    }
}

/// Reads the rehearsal at `path`, a file or a directory with a `rehearsal.yaml`.
///
/// # Errors
/// The first problem found in any of the files.
pub fn load(path: &Path) -> Result<Plan, Diagnostic> {
    let file = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
    let text = read(&file)?;
    let spec = parse(&file, &text)?;
    let positions = yaml::load_documents_strict(&text)
        .map_err(|error| of_yaml(&file, &text, &error))?
        .into_iter()
        .next();
    let checker = Checker { file: &file, text: &text, document: positions.as_ref() };
    let order = checker.check(&spec)?;
    let directory = file.parent().map(Path::to_owned).unwrap_or_default();
    let mut manifests = BTreeMap::new();
    for (index, stage) in spec.stages.iter().enumerate() {
        let mut objects = Vec::new();
        for (at, name) in stage.manifests.iter().enumerate() {
            let manifest = directory.join(name);
            if !manifest.is_file() {
                let place = format!("stages[{index}].manifests[{at}]");
                return Err(checker.problem(&place, format!("there is no file {name:?}")));
            }
            objects.extend(load_manifests(&manifest)?);
        }
        manifests.insert(stage.project.clone(), objects);
    }
    checker.check_configs(&spec, &manifests)?;
    Ok(Plan { spec, directory, manifests, order })
}

fn read(file: &Path) -> Result<String, Diagnostic> {
    fs::read_to_string(file)
        .map_err(|error| Diagnostic::file(file, format!("cannot be read: {error}")))
}

fn of_yaml(file: &Path, text: &str, error: &yaml::Error) -> Diagnostic {
    let at = error.position;
    Diagnostic::at(file, text, at.line, at.column, error.problem.to_string())
}

fn parse(file: &Path, text: &str) -> Result<Rehearsal, Diagnostic> {
    serde_yaml::from_str(text).map_err(|error| match error.location() {
        Some(at) => {
            let full = error.to_string();
            let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
            Diagnostic::at(file, text, at.line(), at.column(), message)
        }
        None => Diagnostic::file(file, error.to_string()),
    })
}

/// Reads the objects of a manifest file; `List`s are taken apart.
///
/// # Errors
/// When it is not YAML, or an object is of no known kind.
pub fn load_manifests(file: &Path) -> Result<Vec<Manifest>, Diagnostic> {
    let text = read(file)?;
    let documents = yaml::load_documents(&text).map_err(|error| of_yaml(file, &text, &error))?;
    let mut manifests = Vec::new();
    for document in documents {
        if document.value.is_null() {
            continue;
        }
        if document.value.kind() == "List" {
            for (index, item) in document.value.list_at(&["items"]).iter().enumerate() {
                let prefix = format!("items[{index}]");
                manifests.push(manifest(file, &text, &document, prefix, item.clone())?);
            }
        } else {
            let object = document.value.clone();
            manifests.push(manifest(file, &text, &document, String::new(), object)?);
        }
    }
    Ok(manifests)
}

fn manifest(
    file: &Path,
    text: &str,
    document: &Document,
    prefix: String,
    object: Value,
) -> Result<Manifest, Diagnostic> {
    let problem = |field: &str, message: String| {
        let place = if prefix.is_empty() { field.to_owned() } else { format!("{prefix}.{field}") };
        let at = document.position(&place);
        Diagnostic::at(file, text, at.line, at.column, message)
    };
    for field in ["apiVersion", "kind"] {
        if object.str_at(&[field]).is_empty() {
            return Err(problem(field, format!("{field} is missing")));
        }
    }
    if object.name().is_empty() {
        return Err(problem("metadata.name", "metadata.name is missing".to_owned()));
    }
    let gvk = Gvk::from_api_version(object.api_version(), object.kind());
    let resource = api::find_kind(&gvk.group, &gvk.version, &gvk.kind).ok_or_else(|| {
        let (kind, version) = (object.kind(), object.api_version());
        problem("kind", format!("no matches for kind {kind:?} in version {version:?}"))
    })?;
    Ok(Manifest {
        file: file.to_owned(),
        text: text.to_owned(),
        document: document.clone(),
        prefix,
        resource,
        object,
    })
}

/// Checks what the types of [`crate::spec`] cannot say.
struct Checker<'a> {
    file: &'a Path,
    text: &'a str,
    document: Option<&'a Document>,
}

impl Checker<'_> {
    fn problem(&self, path: &str, message: String) -> Diagnostic {
        match self.document.map(|document| document.position(path)) {
            Some(at) => Diagnostic::at(self.file, self.text, at.line, at.column, message),
            None => Diagnostic::file(self.file, message),
        }
    }

    /// Checks the rehearsal; gives the projects in order of promotion.
    fn check(&self, spec: &Rehearsal) -> Result<Vec<String>, Diagnostic> {
        if spec.rehearsal != "v1" {
            let text =
                format!("unknown format version {:?}, this program reads v1", spec.rehearsal);
            return Err(self.problem("rehearsal", text));
        }
        let order = self.check_stages(spec)?;
        for (reference, image) in &spec.images {
            let behaviour = serde_json::to_value(&image.simulate).unwrap_or_default();
            self.check_behaviour(&format!("images[{reference}].simulate"), &behaviour)?;
            if let Some(build) = &image.build {
                self.check_build(&format!("images[{reference}].build"), build)?;
            }
        }
        for (index, step) in spec.steps.iter().enumerate() {
            self.check_step(&format!("steps[{index}]"), step, spec)?;
        }
        Ok(order)
    }

    fn check_stages(&self, spec: &Rehearsal) -> Result<Vec<String>, Diagnostic> {
        if spec.stages.is_empty() {
            return Err(self.problem("stages", "at least one stage is needed".to_owned()));
        }
        let mut graph = DiGraphMap::<usize, ()>::new();
        for (index, stage) in spec.stages.iter().enumerate() {
            graph.add_node(index);
            let place = format!("stages[{index}]");
            if spec.stages[..index].iter().any(|other| other.project == stage.project) {
                let text = format!("project {:?} is a stage already", stage.project);
                return Err(self.problem(&format!("{place}.project"), text));
            }
            let Some(source) = &stage.promoted_from else { continue };
            let found = spec.stages.iter().position(|other| other.project == *source);
            let Some(found) = found else {
                let text = format!("there is no stage {source:?}");
                return Err(self.problem(&format!("{place}.promotedFrom"), text));
            };
            graph.add_edge(found, index, ());
        }
        let order = toposort(&graph, None).map_err(|cycle| {
            let place = format!("stages[{}].promotedFrom", cycle.node_id());
            self.problem(&place, "stages are promoted in a circle".to_owned())
        })?;
        Ok(order.into_iter().map(|index| spec.stages[index].project.clone()).collect())
    }

    /// Whether the configs that parity and verifications name are among the manifests.
    fn check_configs(
        &self,
        spec: &Rehearsal,
        manifests: &BTreeMap<String, Vec<Manifest>>,
    ) -> Result<(), Diagnostic> {
        let known = |place: String, project: &str, name: &str| {
            let objects = manifests.get(project).map(Vec::as_slice).unwrap_or_default();
            let found = objects.iter().any(|manifest| {
                manifest.resource.kind == "DeploymentConfig" && manifest.object.name() == name
            });
            let text = format!("the manifests of {project:?} have no DeploymentConfig {name:?}");
            if found { Ok(()) } else { Err(self.problem(&place, text)) }
        };
        if let Some(parity) = &spec.parity {
            for stage in &spec.stages {
                let place = "parity.deploymentConfig".to_owned();
                known(place, &stage.project, &parity.deployment_config)?;
            }
        }
        for (index, step) in spec.steps.iter().enumerate() {
            if let Some(verify) = &step.verify_deployment {
                let place = format!("steps[{index}].verifyDeployment.deploymentConfig");
                known(place, &verify.project, &verify.deployment_config)?;
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

    fn check_step(&self, place: &str, step: &Step, spec: &Rehearsal) -> Result<(), Diagnostic> {
        let set = [
            step.new_project.is_some(),
            step.apply.is_some(),
            step.publish.is_some(),
            step.tag.is_some(),
            step.verify_deployment.is_some(),
            step.approve.is_some(),
            step.wait.is_some(),
            step.check.is_some(),
        ];
        let names = "newProject, apply, publish, tag, verifyDeployment, approve, wait, check";
        self.exactly_one(place, &set, names)?;
        let stage = |place: String, project: &str| {
            let known = spec.stages.iter().any(|stage| stage.project == project);
            let text = format!("there is no stage {project:?}");
            if known { Ok(()) } else { Err(self.problem(&place, text)) }
        };
        if let Some(reference) = &step.new_project {
            stage(format!("{place}.newProject.project"), &reference.project)?;
        }
        if let Some(reference) = &step.apply {
            stage(format!("{place}.apply.project"), &reference.project)?;
        }
        if let Some(publish) = &step.publish {
            if !spec.images.contains_key(&publish.image) {
                let text = format!("there is no image {:?} under images", publish.image);
                return Err(self.problem(&format!("{place}.publish.image"), text));
            }
            self.check_tag(&format!("{place}.publish.to"), &publish.to)?;
        }
        if let Some(tag) = &step.tag {
            self.check_tag(&format!("{place}.tag.from"), &tag.from)?;
            self.check_tag(&format!("{place}.tag.to"), &tag.to)?;
        }
        match &step.check {
            Some(check) => self.check_check(&format!("{place}.check"), check),
            None => Ok(()),
        }
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

    fn check_tag(&self, place: &str, tag: &str) -> Result<(), Diagnostic> {
        match TagName::parse(tag) {
            Some(_) => Ok(()),
            None => {
                let text = format!("{tag:?} must be of the form <project>/<stream>:<tag>");
                Err(self.problem(place, text))
            }
        }
    }

    fn exactly_one(&self, place: &str, set: &[bool], names: &str) -> Result<(), Diagnostic> {
        match set.iter().filter(|set| **set).count() {
            1 => Ok(()),
            0 => Err(self.problem(place, format!("one of {names} must be set"))),
            _ => Err(self.problem(place, format!("only one of {names} may be set"))),
        }
    }
}

/// `project/stream:tag`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagName<'a> {
    /// The project.
    pub project: &'a str,
    /// The image stream.
    pub stream: &'a str,
    /// The tag.
    pub tag: &'a str,
}

impl<'a> TagName<'a> {
    /// Reads `project/stream:tag`; `None` when a part is missing or there is one too many.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (project, rest) = text.split_once('/')?;
        let (stream, tag) = rest.split_once(':')?;
        let parts = [project, stream, tag];
        let plain = parts.iter().all(|part| !part.is_empty() && !part.contains(['/', ':', '@']));
        plain.then_some(Self { project, stream, tag })
    }
}
