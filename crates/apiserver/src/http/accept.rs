//! Content negotiation: in which shape and encoding the client wants its answer.
//!
//! Invariant: a client that asks for one version of a shape never gets another.

use apimachinery::Status;
use apimachinery::status::Reason;

/// One clause of an `Accept` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// `type/subtype`, lower case.
    pub media: String,
    parameters: Vec<(String, String)>,
    /// Quality in thousandths.
    quality: u16,
}

impl Clause {
    fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters: Vec<(String, String)> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let quality = parameters
            .iter()
            .find(|(key, _)| key == "q")
            .and_then(|(_, value)| value.parse::<f32>().ok())
            .map_or(1000, thousandths);
        Self { media, parameters, quality }
    }

    /// The value of a parameter; empty when there is none.
    #[must_use]
    pub fn parameter(&self, key: &str) -> &str {
        self.parameters
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    }

    #[must_use]
    /// Whether the clause admits `media`, wildcards included.
    pub fn admits(&self, media: &str) -> bool {
        let kind = media.split('/').next().unwrap_or_default();
        self.media == "*/*" || self.media == media || self.media == format!("{kind}/*")
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
fn thousandths(quality: f32) -> u16 {
    (quality.clamp(0.0, 1.0) * 1000.0) as u16
}

/// The clauses of an `Accept` header, best first; an absent or empty header accepts anything.
#[must_use]
pub fn clauses(header: Option<&str>) -> Vec<Clause> {
    let text = header.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("*/*");
    let mut clauses: Vec<Clause> =
        text.split(',').filter(|part| !part.trim().is_empty()).map(Clause::parse).collect();
    clauses.retain(|clause| clause.quality > 0);
    clauses.sort_by_key(|clause| std::cmp::Reverse(clause.quality));
    clauses
}

/// Version of the `meta.k8s.io` group a shape is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaVersion {
    V1,
    V1beta1,
}

impl MetaVersion {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "v1" => Some(Self::V1),
            "v1beta1" => Some(Self::V1beta1),
            _ => None,
        }
    }

    #[must_use]
    pub fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "meta.k8s.io/v1",
            Self::V1beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

/// What an object or list is turned into before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As it is.
    Object,
    /// Rows for printing.
    Table(MetaVersion),
    /// `PartialObjectMetadata` or its list.
    Metadata(MetaVersion),
}

/// How the bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Json,
    Yaml,
}

/// The outcome of negotiation for a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    pub shape: Shape,
    pub encoding: Encoding,
}

impl Accepted {
    /// Plain JSON, the answer when nothing was negotiated.
    pub const JSON: Self = Self { shape: Shape::Object, encoding: Encoding::Json };
}

/// Chooses shape and encoding of a resource answer.
///
/// # Errors
/// 406 when no clause can be satisfied.
pub fn negotiate(header: Option<&str>) -> Result<Accepted, Status> {
    clauses(header).iter().find_map(accepted).ok_or_else(not_acceptable)
}

fn accepted(clause: &Clause) -> Option<Accepted> {
    let encoding = if clause.admits("application/json") {
        Encoding::Json
    } else if clause.media == "application/yaml" {
        Encoding::Yaml
    } else {
        return None;
    };
    let (word, group) = (clause.parameter("as"), clause.parameter("g"));
    if word.is_empty() {
        return Some(Accepted { shape: Shape::Object, encoding });
    }
    if group != "meta.k8s.io" {
        return None;
    }
    let version = MetaVersion::parse(clause.parameter("v"))?;
    let shape = match word {
        "Table" => Shape::Table(version),
        "PartialObjectMetadata" | "PartialObjectMetadataList" => Shape::Metadata(version),
        _ => return None,
    };
    Some(Accepted { shape, encoding })
}

fn not_acceptable() -> Status {
    let mut status = Status::new(Reason::NotAcceptable, "406: Not Acceptable");
    status.details = apimachinery::json!({});
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(header: &str) -> Option<Shape> {
        negotiate(Some(header)).ok().map(|accepted| accepted.shape)
    }

    #[test]
    fn the_first_acceptable_clause_wins() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,\
                       application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        let oc = "application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json";
        assert_eq!(shape(kubectl), Some(Shape::Table(MetaVersion::V1)));
        assert_eq!(shape(oc), Some(Shape::Table(MetaVersion::V1beta1)));
        assert_eq!(
            shape("application/json;as=Table;v=v2;g=meta.k8s.io,application/json"),
            Some(Shape::Object)
        );
        assert_eq!(
            shape("application/vnd.kubernetes.protobuf,application/json"),
            Some(Shape::Object)
        );
        assert_eq!(
            shape("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
            Some(Shape::Metadata(MetaVersion::V1))
        );
        assert_eq!(shape("text/html"), None);
        assert_eq!(shape("text/html, application/xml;q=0.9, */*;q=0.8"), Some(Shape::Object));
    }

    #[test]
    fn yaml_is_written_only_when_named() {
        let yaml = negotiate(Some("application/yaml")).unwrap();
        assert_eq!(yaml.encoding, Encoding::Yaml);
        assert_eq!(negotiate(None).unwrap(), Accepted::JSON);
    }
}
