//! Walking through a pod's containers.

use apimachinery::{List, ObjectExt as _, Value};

/// The lists of containers, in the order upstream goes through them.
pub(crate) const LISTS: [&str; 2] = ["initContainers", "containers"];

/// The containers of one list, to be changed.
pub(crate) fn containers_mut<'a>(pod: &'a mut Value, list: &str) -> &'a mut [Value] {
    let spec = pod.get_mut("spec").and_then(|spec| spec.get_mut(list));
    spec.and_then(Value::as_array_mut).map(|list| &mut **list).unwrap_or_default()
}

/// All containers, the init containers last.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let of = |list| pod.list_at(&["spec", list]);
    of("containers").iter().chain(of("initContainers"))
}

/// The list at `path`, created when it is missing.
pub(crate) fn list_mut<'a>(object: &'a mut Value, path: &[&str]) -> &'a mut List {
    if object.at(path).and_then(Value::as_array).is_none() {
        object.set(path, Value::Array(List::new()));
    }
    let pointer: String = path.iter().flat_map(|part| ["/", part]).collect();
    object.pointer_mut(&pointer).and_then(Value::as_array_mut).expect("the list was just made")
}
