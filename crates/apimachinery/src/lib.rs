//! What every API object and every answer has in common, whatever its kind.
//!
//! Objects are JSON documents ([`json`]). Reading order: [`gvk`] (how
//! kinds and resources are named), [`object`] (reading and writing metadata of a document),
//! [`status`] (the error body that clients see), [`field`] (paths and validation errors),
//! [`validation`] (names and metadata), [`selector`] (which objects are meant),
//! [`quantity`] and [`int_or_string`] (values with a grammar of their own),
//! [`yaml`] (manifests), [`patch`] (changing documents), [`managed_fields`] (who owns which field),
//! [`image_reference`] (pull specs), and the small ones [`names`], [`duration`], [`hash`],
//! [`recent`] (what was made lately).
//!
//! Invariant: nothing here knows a particular kind, a clock or a socket.
#![warn(missing_docs)]

pub mod duration;
pub mod field;
pub mod gvk;
pub mod hash;
pub mod image_reference;
pub mod int_or_string;
pub mod json;
pub mod managed_fields;
pub mod names;
pub mod object;
pub mod patch;
pub mod quantity;
pub mod recent;
pub mod selector;
pub mod status;
pub mod validation;
pub mod yaml;

pub use crate::gvk::{Gvk, Gvr};
pub use crate::object::ObjectExt;
pub use crate::recent::Recent;
pub use crate::status::{Reason, Status};

pub use crate::json::{List, Map, Text, Texts, Value};
