//! The first half of an import: asking the source for everything that the import names.
//!
//! Invariant: nothing here reads or writes the cluster.

use apimachinery::image_reference::ImageReference;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value, field};

use super::tags::prioritize;
use crate::source::{self, Fetched, Keyring, Platform, Source, Wanted};

/// How many tags of a repository are imported at once.
const MAX_TAGS: usize = 50;

/// One image that was asked for.
#[derive(Debug)]
pub struct Answer {
    /// The tag it goes under; empty when it goes nowhere.
    pub tag: String,
    /// What the tag is to point to, as it was written.
    pub from: String,
    /// The Image, or why there is none.
    pub image: Result<Value, Status>,
    /// `importPolicy` of the tag.
    pub import_policy: Value,
    /// `referencePolicy` of the tag.
    pub reference_policy: Value,
    include_manifest: bool,
}

/// Everything that was asked for.
#[derive(Debug, Default)]
pub struct Answers {
    /// In the order of `spec.images`.
    pub images: Vec<Answer>,
    /// The tags of `spec.repository`, or why there are none.
    pub repository: Option<Result<Vec<Answer>, Status>>,
    /// Tags that were left out.
    pub additional_tags: Vec<String>,
}

/// Who is asked, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Who.
    pub source: &'a dyn Source,
    /// What may be shown.
    pub keyring: &'a Keyring,
    /// Which machine the image of a tag is for.
    pub platform: &'a dyn Platforms,
}

/// Which machine the image of a tag is for.
pub trait Platforms: std::fmt::Debug {
    /// Of the tag `name`.
    fn of(&self, name: &str) -> Platform;
}

impl Asking<'_> {
    /// Asks for everything that `import` names.
    #[must_use]
    pub fn all(&self, import: &Value) -> Answers {
        let mut answers = Answers::default();
        for spec in import.list_at(&["spec", "images"]) {
            let from = spec.str_at(&["from", "name"]);
            let tag = spec.str_at(&["to", "name"]);
            answers.images.push(self.one(spec, from, tag));
        }
        if let Some(spec) = import.at(&["spec", "repository"]).filter(|spec| spec.is_object()) {
            let (repository, left_out) = self.repository(spec);
            answers.repository = Some(repository);
            answers.additional_tags = left_out;
        }
        answers
    }

    fn repository(&self, spec: &Value) -> (Result<Vec<Answer>, Status>, Vec<String>) {
        let from = spec.str_at(&["from", "name"]);
        let reference = match parse(from) {
            Ok(reference) => reference,
            Err(status) => return (Err(status), Vec::new()),
        };
        let platform = Platform::default();
        let wanted = self.wanted(spec, &reference, &platform);
        let mut tags = match self.source.tags(&wanted) {
            Ok(tags) => tags,
            Err(error) => return (Err(error.status(from)), Vec::new()),
        };
        prioritize(&mut tags);
        let left_out = tags.split_off(tags.len().min(MAX_TAGS));
        let answers = tags.iter().map(|tag| {
            let name = ImageReference { tag: tag.clone(), ..reference.clone() }.exact();
            self.one(spec, &name, tag)
        });
        (Ok(answers.collect()), left_out)
    }

    fn wanted<'a>(
        &'a self,
        spec: &Value,
        reference: &'a ImageReference,
        platform: &'a Platform,
    ) -> Wanted<'a> {
        let insecure = spec.bool_at(&["importPolicy", "insecure"]);
        Wanted { reference, insecure, keyring: self.keyring, platform }
    }

    /// A registry refuses even public images to those who show credentials that are wrong.
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Fetched, source::Error> {
        let refused = match self.source.image(wanted) {
            Err(error @ source::Error::Unauthorized { incorrect: true, .. }) => error,
            outcome => return outcome,
        };
        let nothing = Keyring::default();
        match self.source.image(&Wanted { keyring: &nothing, ..*wanted }) {
            Err(source::Error::Unauthorized { .. }) => Err(refused),
            outcome => outcome,
        }
    }

    fn one(&self, spec: &Value, from: &str, tag: &str) -> Answer {
        let image = parse(from).and_then(|reference| {
            let platform = self.platform.of(tag);
            let wanted = self.wanted(spec, &reference, &platform);
            let fetched = self.fetch(&wanted).map_err(|error| error.status(from))?;
            Ok(image(&reference, fetched))
        });
        let or_empty = |field: &str| {
            let value = spec.get(field).filter(|value| value.is_object());
            value.cloned().unwrap_or_else(|| json!({}))
        };
        Answer {
            tag: tag.to_owned(),
            from: from.to_owned(),
            image,
            import_policy: or_empty("importPolicy"),
            reference_policy: or_empty("referencePolicy"),
            include_manifest: spec.bool_at(&["includeManifest"]),
        }
    }
}

fn parse(from: &str) -> Result<ImageReference, Status> {
    ImageReference::parse(from).map_err(|error| {
        let path = field::Path::new("from").child("name");
        let error = field::Error::invalid(&path, from, &format!("invalid name: {error}"));
        Status::invalid("", "", "", &[error])
    })
}

/// The Image object of what was found: named by its digest, pulled from where it was found.
fn image(reference: &ImageReference, fetched: Fetched) -> Value {
    let place =
        ImageReference { tag: String::new(), id: fetched.digest.clone(), ..reference.clone() };
    let mut image = json!({
        "apiVersion": "image.openshift.io/v1", "kind": "Image",
        "metadata": {"name": fetched.digest},
        "dockerImageReference": place.exact(),
    });
    for (field, text) in [
        ("dockerImageManifest", fetched.manifest),
        ("dockerImageManifestMediaType", fetched.media_type),
        ("dockerImageConfig", fetched.config),
    ] {
        if !text.is_empty() {
            image[field] = json!(text);
        }
    }
    if let Some(metadata) = fetched.metadata {
        image["dockerImageMetadata"] = metadata;
    }
    crate::metadata::fill(&mut image);
    image
}

impl Answer {
    /// The tag at the place it came from, which need not be the one it goes under.
    fn tag_outside(&self) -> String {
        let Ok(reference) = ImageReference::parse(&self.from) else { return String::new() };
        match (reference.tag.as_str(), reference.id.as_str()) {
            ("", "") => "latest".to_owned(),
            (tag, _) => tag.to_owned(),
        }
    }

    /// An entry of `status.images`.
    #[must_use]
    pub fn shown(&self) -> Value {
        let mut entry =
            json!({"status": {"metadata": {}, "status": "Success"}, "tag": self.tag_outside()});
        match &self.image {
            Ok(image) => {
                let mut image = image.clone();
                if self.include_manifest {
                    crate::image::strip_kind(&mut image);
                } else {
                    crate::image::strip_manifest(&mut image);
                }
                entry["image"] = image;
            }
            Err(status) => entry["status"] = in_list(status),
        }
        entry
    }
}

impl Answers {
    /// `status` of the import without the stream.
    #[must_use]
    pub fn shown(&self) -> Value {
        let mut status = json!({});
        if !self.images.is_empty() {
            status["images"] = self.images.iter().map(Answer::shown).collect();
        }
        let Some(repository) = &self.repository else { return status };
        status["repository"] = match repository {
            Err(failure) => json!({"status": in_list(failure)}),
            Ok(images) => {
                let failed = images.iter().filter(|answer| answer.image.is_err()).count();
                let shown: Vec<Value> = images.iter().map(Answer::shown).collect();
                json!({"status": in_total(failed), "images": shown})
            }
        };
        if !self.additional_tags.is_empty() {
            status["repository"]["additionalTags"] = json!(self.additional_tags);
        }
        status
    }
}

/// A status inside a document has neither kind nor version.
fn in_list(status: &Status) -> Value {
    let mut value = status.to_value();
    for field in ["kind", "apiVersion"] {
        value.remove(&[field]);
    }
    value
}

fn in_total(failed: usize) -> Value {
    let message = match failed {
        0 => return json!({"metadata": {}, "status": "Success"}),
        1 => "one of the images from this repository failed to import".to_owned(),
        n => format!("{n} of the images from this repository failed to import"),
    };
    json!({"metadata": {}, "status": "Failure", "message": message, "reason": "ImportFailed"})
}
