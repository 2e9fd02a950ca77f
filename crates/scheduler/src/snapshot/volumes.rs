//! Claims, volumes and classes.
//!
//! Invariant: looking up never fails; what is not there is `None`.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::Value;
use controller_runtime::Key;

/// Claims, volumes and classes.
#[derive(Debug, Default)]
pub struct Volumes {
    claims: BTreeMap<Key, Arc<Value>>,
    volumes: BTreeMap<Arc<str>, Arc<Value>>,
    classes: BTreeMap<Arc<str>, Arc<Value>>,
}

impl Volumes {
    /// Takes in an object as it is now. Gives whether it may matter.
    pub(super) fn set(&mut self, plural: &str, key: &Key, object: Option<&Arc<Value>>) -> bool {
        let object = object.map(Arc::clone);
        match plural {
            "persistentvolumeclaims" => replace(&mut self.claims, key.clone(), object),
            "persistentvolumes" => replace(&mut self.volumes, Arc::from(key.name()), object),
            "storageclasses" => replace(&mut self.classes, Arc::from(key.name()), object),
            _ => false,
        }
    }

    /// A claim.
    #[must_use]
    pub fn claim(&self, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.claims.get(&Key::new(namespace, name))
    }

    /// A volume.
    #[must_use]
    pub fn volume(&self, name: &str) -> Option<&Arc<Value>> {
        self.volumes.get(name)
    }

    /// All volumes, by name.
    pub fn volumes(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.volumes.values()
    }

    /// A storage class.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&Arc<Value>> {
        self.classes.get(name)
    }
}

fn replace<K: Ord>(map: &mut BTreeMap<K, Arc<Value>>, key: K, object: Option<Arc<Value>>) -> bool {
    match object {
        Some(object) => {
            map.insert(key, object);
            true
        }
        None => map.remove(&key).is_some(),
    }
}
