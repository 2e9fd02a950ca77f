//! Objects and lists as the client wants to see them: whole, as rows of a table, or metadata only.
//!
//! Invariant: whole objects are written from their cached bytes, never serialised again.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/handlers/response.go`.

use std::sync::Arc;

use api::Resource;
use apimachinery::Value;
use apimachinery::{ObjectExt as _, Status};
use bytes::Bytes;
use serde::Serialize;
use world::{Time, World};

use super::accept::{MetaVersion, Shape};
use super::columns::{self, Definition};
use super::member::member;
use super::slow::PIECE;
use crate::custom::columns::{Column, cells as custom_cells};
use crate::{ObjectList, Stored};

/// How a table without rows ends.
const TABLE_END: &[u8] = b"]}";

/// Which part of an object goes with its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    None,
    Metadata,
    Object,
}

impl IncludeObject {
    /// Reads the `includeObject` parameter.
    pub(crate) fn parse(text: &str) -> Result<Self, Status> {
        match text {
            "None" => Ok(Self::None),
            "" | "Metadata" => Ok(Self::Metadata),
            "Object" => Ok(Self::Object),
            other => {
                Err(Status::bad_request(format!("unrecognized includeObject value: {other:?}")))
            }
        }
    }
}

/// Turns the objects of one resource into the bytes of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Shaper {
    resource: &'static Resource,
    shape: Shape,
    include: IncludeObject,
    /// For the ages in tables.
    world: World,
    /// The columns that a definition names.
    custom: Option<Arc<[Column]>>,
}

impl Shaper {
    pub(crate) fn new(
        resource: &'static Resource,
        shape: Shape,
        include: IncludeObject,
        world: World,
    ) -> Self {
        Self { resource, shape, include, world, custom: None }
    }

    /// The same with the columns of a custom resource.
    pub(crate) fn columns(mut self, custom: Option<Arc<[Column]>>) -> Self {
        self.custom = custom;
        self
    }

    /// One object. A `Status` is never reshaped.
    pub(crate) fn object(&self, object: &Stored) -> Bytes {
        if self.shape == Shape::Object {
            return object.json();
        }
        let value = object.value();
        match self.shape {
            _ if value.kind() == "Status" => object.json(),
            Shape::Object => object.json(),
            Shape::Metadata(version) => encode(&Partial::new(version, &value)),
            Shape::Table(version) => {
                let metadata = ListMeta::of(value.resource_version());
                self.table(version, metadata, std::slice::from_ref(object), true)
            }
        }
    }

    /// A list.
    pub(crate) fn list(&self, list: &ObjectList) -> Bytes {
        let metadata = ListMeta::of_list(list);
        match self.shape {
            Shape::Object => {
                let parts = self.parts(list).unwrap_or_default();
                Bytes::from(parts.concat())
            }
            Shape::Metadata(version) => {
                let kind = "PartialObjectMetadataList";
                let mut list_bytes = list_head(kind, version.api_version(), &metadata);
                for (index, item) in list.items.iter().enumerate() {
                    if index > 0 {
                        list_bytes.push(b',');
                    }
                    let value = item.value();
                    let partial = Partial::new(version, &value);
                    serde_json::to_writer(&mut list_bytes, &partial).unwrap_or_default();
                }
                list_bytes.extend_from_slice(b"]}");
                Bytes::from(list_bytes)
            }
            Shape::Table(version) => self.table(version, metadata, &list.items, true),
        }
    }

    /// A list of whole objects in parts, each object's cached bytes being one; nothing for other
    /// shapes.
    pub(crate) fn parts(&self, list: &ObjectList) -> Option<Vec<Bytes>> {
        if self.shape != Shape::Object {
            return None;
        }
        let mut parts = Vec::with_capacity(list.items.len() * 2 + 2);
        let (kind, version) = (self.resource.list_kind(), self.resource.api_version());
        parts.push(Bytes::from(list_head(&kind, &version, &ListMeta::of_list(list))));
        for (index, item) in list.items.iter().enumerate() {
            if index > 0 {
                parts.push(Bytes::from_static(b","));
            }
            parts.push(item.json());
        }
        parts.push(Bytes::from_static(b"]}\n"));
        Some(parts)
    }

    /// The object of a watch event; in a table only the `first` one describes its columns.
    pub(crate) fn event(&self, object: &Stored, first: bool) -> Bytes {
        match self.shape {
            Shape::Table(version) => {
                let value = object.value();
                let metadata = ListMeta::of(value.resource_version());
                self.table(version, metadata, std::slice::from_ref(object), first)
            }
            Shape::Object | Shape::Metadata(_) => self.object(object),
        }
    }

    /// The object of a bookmark.
    pub(crate) fn bookmark(&self, resource_version: &str, initial_events_end: bool) -> Bytes {
        let mut metadata = apimachinery::json!({"resourceVersion": resource_version});
        if initial_events_end {
            metadata["annotations"] = apimachinery::json!({"k8s.io/initial-events-end": "true"});
        }
        let (kind, api_version) = match self.shape {
            Shape::Object => (self.resource.kind, self.resource.api_version()),
            Shape::Metadata(version) => ("PartialObjectMetadata", version.api_version().to_owned()),
            Shape::Table(version) => ("Table", version.api_version().to_owned()),
        };
        let mut object =
            apimachinery::json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        if matches!(self.shape, Shape::Table(_)) {
            object["columnDefinitions"] = Value::Null;
            object["rows"] = apimachinery::json!([]);
        }
        encode(&object)
    }

    /// Whether a list is shown as a table of the resource's own kind.
    pub(crate) fn tabulates(&self, list: &ObjectList) -> bool {
        let own = |item: &Stored| item.value().kind() == self.resource.kind;
        matches!(self.shape, Shape::Table(_)) && list.items.first().is_some_and(own)
    }

    /// A list of objects of the resource's own kind as a table, in pieces that are made as they are
    /// taken; nothing for other shapes.
    pub(crate) fn table_pieces(
        self,
        list: ObjectList,
    ) -> Option<impl Iterator<Item = Bytes> + Send> {
        let Shape::Table(version) = self.shape else { return None };
        let now = self.world.now();
        let mut piece = self.table(version, ListMeta::of_list(&list), &[], true).to_vec();
        piece.truncate(piece.len() - TABLE_END.len());
        let mut items = list.items.into_iter().enumerate();
        let mut over = false;
        Some(std::iter::from_fn(move || {
            while !over && piece.len() < PIECE {
                let Some((index, item)) = items.next() else {
                    piece.extend_from_slice(TABLE_END);
                    over = true;
                    break;
                };
                if index > 0 {
                    piece.push(b',');
                }
                self.write_row(version, &item, now, &mut piece);
            }
            let next = Vec::with_capacity(if over { 0 } else { PIECE + PIECE / 8 });
            Some(std::mem::replace(&mut piece, next))
                .filter(|piece| !piece.is_empty())
                .map(Bytes::from)
        }))
    }

    /// Writes a row; metadata are copied out of the object's cached bytes.
    fn write_row(&self, version: MetaVersion, object: &Stored, now: Time, piece: &mut Vec<u8>) {
        let value = object.value();
        let row = self.row(version, &value, now);
        let json = object.json();
        let metadata =
            member(&json, "metadata").filter(|_| self.include == IncludeObject::Metadata);
        let Some(metadata) = metadata else {
            serde_json::to_writer(piece, &row).unwrap_or_default();
            return;
        };
        let version = version.api_version();
        piece.extend_from_slice(b"{\"cells\":");
        serde_json::to_writer(&mut *piece, &row.cells).unwrap_or_default();
        if !row.conditions.is_empty() {
            piece.extend_from_slice(b",\"conditions\":");
            serde_json::to_writer(&mut *piece, &row.conditions).unwrap_or_default();
        }
        for part in [
            ",\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"",
            version,
            "\",\"metadata\":",
        ] {
            piece.extend_from_slice(part.as_bytes());
        }
        piece.extend_from_slice(metadata);
        piece.extend_from_slice(b"}}");
    }

    fn table(
        &self,
        version: MetaVersion,
        metadata: ListMeta<'_>,
        objects: &[Stored],
        describe: bool,
    ) -> Bytes {
        let now = self.world.now();
        let values: Vec<_> = objects.iter().map(Stored::value).collect();
        let rows = values.iter().map(|value| self.row(version, value, now)).collect();
        let kind = values.first().map_or(self.resource.kind, |value| value.kind());
        let custom = self.custom.as_deref().filter(|_| kind == self.resource.kind);
        let columns = describe.then(|| match custom {
            Some(custom) => columns::custom_definitions(custom),
            None => columns::definitions(self.resource, kind),
        });
        encode(&Table {
            kind: "Table",
            api_version: version.api_version(),
            metadata,
            column_definitions: columns,
            rows,
        })
    }

    fn row<'a>(&self, version: MetaVersion, object: &'a Value, now: Time) -> Row<'a> {
        let custom = self.custom.as_deref().filter(|_| object.kind() == self.resource.kind);
        let cells = match custom {
            Some(custom) => custom_cells(custom, object, now),
            None => columns::cells(self.resource, object, now),
        };
        let object_part = match self.include {
            IncludeObject::None => None,
            IncludeObject::Metadata => Some(RowObject::Partial(Partial::new(version, object))),
            IncludeObject::Object => Some(RowObject::Whole(object)),
        };
        Row {
            cells,
            conditions: api::columns::conditions(self.resource, object),
            object: object_part,
        }
    }
}

/// Everything of a list up to its first item.
fn list_head(kind: &str, version: &str, metadata: &ListMeta<'_>) -> Vec<u8> {
    let mut head =
        format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",\"metadata\":").into_bytes();
    head.extend_from_slice(&encode(metadata));
    head.extend_from_slice(b",\"items\":[");
    head
}

fn encode(document: &impl Serialize) -> Bytes {
    let mut bytes = serde_json::to_vec(document).unwrap_or_default();
    bytes.shrink_to_fit();
    Bytes::from(bytes)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ListMeta<'a> {
    resource_version: &'a str,
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    continue_token: Option<&'a str>,
    #[serde(rename = "remainingItemCount", skip_serializing_if = "Option::is_none")]
    remaining: Option<usize>,
}

impl<'a> ListMeta<'a> {
    fn of(resource_version: &'a str) -> Self {
        Self { resource_version, continue_token: None, remaining: None }
    }

    fn of_list(list: &'a ObjectList) -> Self {
        Self {
            resource_version: &list.resource_version,
            continue_token: list.continue_token.as_deref(),
            remaining: list.remaining,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Partial<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Option<&'a Value>,
}

impl<'a> Partial<'a> {
    fn new(version: MetaVersion, object: &'a Value) -> Self {
        Self {
            kind: "PartialObjectMetadata",
            api_version: version.api_version(),
            metadata: object.at(&["metadata"]),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Table<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: ListMeta<'a>,
    column_definitions: Option<Vec<Definition>>,
    rows: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    cells: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<RowObject<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum RowObject<'a> {
    Partial(Partial<'a>),
    Whole(&'a Value),
}
