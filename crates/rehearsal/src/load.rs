//! Reads a rehearsal and its manifests from disk and checks them as far as that goes without a
//! cluster.
//!
//! Invariant: every refusal names file, line and column.

mod checker;

use std::fs;
use std::path::{Path, PathBuf};

use api::Resource;
use apimachinery::yaml::{self, Document};
use apimachinery::{Gvk, ObjectExt as _, Value};

use crate::diagnostic::Diagnostic;
use crate::load::checker::Checker;
use crate::spec::Rehearsal;

/// The file looked for in a directory.
const FILE_NAME: &str = "rehearsal.yaml";

/// A rehearsal that is ready to run.
#[derive(Debug)]
pub struct Plan {
    /// What the file says.
    pub spec: Rehearsal,
    /// Directory that its paths are relative to.
    pub directory: PathBuf,
    /// Manifests of each stage, by its number.
    pub manifests: Vec<Vec<Manifest>>,
    /// Numbers of the stages in order of promotion.
    pub order: Vec<usize>,
    source: Source,
}

/// The text of a rehearsal and where everything stands in it.
#[derive(Debug, Clone)]
struct Source {
    file: PathBuf,
    text: String,
    document: Option<Document>,
}

impl Source {
    /// A problem at a path of the file, such as `steps[2].tag.to`.
    fn problem(&self, path: &str, message: String) -> Diagnostic {
        match self.document.as_ref().map(|document| document.position(path)) {
            Some(at) => Diagnostic::at(&self.file, &self.text, at.line, at.column, message),
            None => Diagnostic::file(&self.file, message),
        }
    }
}

impl Plan {
    /// A problem at a path of the rehearsal file, such as `steps[2].refused`.
    #[must_use]
    pub fn diagnose(&self, path: &str, message: String) -> Diagnostic {
        self.source.problem(path, message)
    }
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
    let document = yaml::load_documents_strict(&text)
        .map_err(|error| of_yaml(&file, &text, &error))?
        .into_iter()
        .next();
    let directory = file.parent().map(Path::to_owned).unwrap_or_default();
    let source = Source { file, text, document };
    let checker = Checker { spec: &spec, source: &source };
    let order = checker.check()?;
    let mut manifests = Vec::new();
    for (index, stage) in spec.stages.iter().enumerate() {
        let mut objects = Vec::new();
        for (at, name) in stage.manifests.iter().enumerate() {
            let manifest = directory.join(name);
            if !manifest.is_file() {
                let place = format!("stages[{index}].manifests[{at}]");
                return Err(source.problem(&place, format!("there is no file {name:?}")));
            }
            objects.extend(load_manifests(&manifest)?);
        }
        manifests.push(objects);
    }
    checker.check_configs(&manifests)?;
    Ok(Plan { spec, directory, manifests, order, source })
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
