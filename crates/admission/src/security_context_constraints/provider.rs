//! One constraint at work in one namespace: it fills in a pod's security context and checks it.
//!
//! Mirrors: `openshift/origin:pkg/security/securitycontextconstraints/provider.go` and the strategies
//! beside it.

use std::collections::BTreeSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use crate::pod::containers_mut;
use crate::security_allocator::{GROUPS, MCS, UID_RANGE};

const SECCOMP_OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// Which user ids are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Uids {
    Any,
    NonRoot,
    Exactly(i64),
    Range(i64, i64),
}

/// Which groups are allowed; `None` for any.
type Groups = Option<Vec<(i64, i64)>>;

/// The list of containers that join a running pod.
pub const EPHEMERAL: &str = "ephemeralContainers";

/// A constraint with what it takes from the namespace.
#[derive(Debug)]
pub struct Provider<'a> {
    constraint: &'a Value,
    uids: Uids,
    /// The wanted `SELinux` options; `None` for any.
    se_linux: Option<Value>,
    fs_groups: Groups,
    supplemental_groups: Groups,
}

impl<'a> Provider<'a> {
    /// `None` when the namespace lacks an annotation that the constraint needs.
    #[must_use]
    pub fn new(constraint: &'a Value, namespace: &Value) -> Option<Self> {
        let groups = |field: &str, single: bool| -> Option<Groups> {
            if constraint.str_at(&[field, "type"]) != "MustRunAs" {
                return Some(None);
            }
            let ranges = constraint.list_at(&[field, "ranges"]);
            if ranges.is_empty() {
                let annotation =
                    namespace.annotation(GROUPS).or_else(|| namespace.annotation(UID_RANGE));
                let blocks = annotation?.split(',').map(block).collect::<Option<Vec<_>>>()?;
                let first = blocks.first()?.0;
                return Some(Some(if single { vec![(first, first)] } else { blocks }));
            }
            let bound = |range: &Value, end: &str| range.int_at(&[end]).unwrap_or(0);
            Some(Some(ranges.iter().map(|r| (bound(r, "min"), bound(r, "max"))).collect()))
        };
        Some(Self {
            constraint,
            uids: uids(constraint, namespace)?,
            se_linux: se_linux(constraint, namespace)?,
            fs_groups: groups("fsGroup", true)?,
            supplemental_groups: groups("supplementalGroups", false)?,
        })
    }

    /// The constraint's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.constraint.name()
    }

    fn allows(&self, field: &str) -> bool {
        self.constraint.bool_at(&[field])
    }

    fn strings(&self, field: &str) -> Vec<&'a str> {
        self.constraint.list_at(&[field]).iter().filter_map(Value::as_str).collect()
    }

    /// Fills in what the pod leaves open and says what is wrong with the rest.
    pub fn assign(&self, pod: &mut Value) -> ErrorList {
        self.fill_pod(pod);
        let mut errors = self.check_pod(pod);
        for list in ["initContainers", "containers", EPHEMERAL] {
            let of_pod = pod.at(&["spec", "securityContext"]).cloned().unwrap_or(Value::Null);
            for container in containers_mut(pod, list) {
                self.fill_container(container, &of_pod);
            }
            for (index, container) in pod.list_at(&["spec", list]).iter().enumerate() {
                let path = Path::new("spec").child(list).index(index).child("securityContext");
                errors.extend(self.check_container(pod, container, &path));
            }
        }
        errors
    }

    fn fill_pod(&self, pod: &mut Value) {
        let mut fill = |field: &str, value: Option<Value>| {
            let path = ["spec", "securityContext", field];
            if let Some(value) = value.filter(|_| pod.at(&path).is_none_or(Value::is_null)) {
                pod.set(&path, value);
            }
        };
        let first = |groups: &Groups| groups.as_ref().and_then(|g| g.first()).map(|g| g.0);
        let supplemental = first(&self.supplemental_groups).map(|group| json!([group]));
        fill("supplementalGroups", supplemental);
        fill("fsGroup", first(&self.fs_groups).map(Value::from));
        fill("seLinuxOptions", self.se_linux.clone());
    }

    fn check_pod(&self, pod: &Value) -> ErrorList {
        let mut errors = ErrorList::new();
        let context = pod.at(&["spec", "securityContext"]).unwrap_or(&Value::Null);
        let path = Path::new(&format!("provider {}: ", self.name()))
            .child("spec")
            .child("securityContext");
        let fs_group: Vec<i64> = context.int_at(&["fsGroup"]).into_iter().collect();
        errors.extend(check_groups("fsGroup", &self.fs_groups, &fs_group));
        let groups: Vec<i64> =
            context.list_at(&["supplementalGroups"]).iter().filter_map(Value::as_i64).collect();
        errors.extend(check_groups("supplementalGroups", &self.supplemental_groups, &groups));
        let options = context.get("seLinuxOptions");
        errors.extend(self.check_se_linux(options, &path.child("seLinuxOptions")));
        errors.extend(self.check_host(pod, &path));
        errors.extend(self.check_seccomp(pod));
        errors.extend(self.check_volumes(pod));
        errors
    }

    /// Sharing of the node's namespaces, as the whole pod asks for it.
    fn check_host(&self, pod: &Value, path: &Path) -> ErrorList {
        let parts = [
            ("hostNetwork", "allowHostNetwork", "Host network is not allowed to be used"),
            ("hostPID", "allowHostPID", "Host PID is not allowed to be used"),
            ("hostIPC", "allowHostIPC", "Host IPC is not allowed to be used"),
        ];
        let refused = parts
            .into_iter()
            .filter(|(field, allowed, _)| pod.bool_at(&["spec", field]) && !self.allows(allowed));
        refused.map(|(field, _, text)| Error::invalid(&path.child(field), true, text)).collect()
    }

    /// The profiles that the annotations of the pod and its containers name.
    fn check_seccomp(&self, pod: &Value) -> ErrorList {
        let allowed = self.strings("seccompProfiles");
        let annotations = pod.map_at(&["metadata", "annotations"]).into_iter().flatten();
        let profiles = annotations
            .filter(|(key, _)| *key == SECCOMP_OF_POD || key.starts_with(SECCOMP_OF_CONTAINER));
        let mut errors = ErrorList::new();
        for (key, profile) in profiles {
            let profile = profile.as_str().unwrap_or_default();
            if !allowed.iter().any(|allowed| *allowed == "*" || *allowed == profile) {
                let path = Path::new("pod").child("metadata").child("annotations").key(key);
                let text = if allowed.is_empty() {
                    "seccomp may not be set".to_owned()
                } else {
                    let valid = allowed.join(",");
                    format!("{profile} is not a valid seccomp profile. Valid values are {valid}")
                };
                errors.push(Error::forbidden(&path, &text));
            }
        }
        errors
    }

    fn check_volumes(&self, pod: &Value) -> ErrorList {
        let allowed = self.strings("volumes");
        let mut errors = ErrorList::new();
        if allowed.contains(&"*") {
            return errors;
        }
        for (index, volume) in pod.list_at(&["spec", "volumes"]).iter().enumerate() {
            let kind = volume_kind(volume);
            let host_path = kind == "hostPath" && self.allows("allowHostDirVolumePlugin");
            if !allowed.contains(&kind) && !host_path {
                let path = Path::new("spec").child("volumes").index(index);
                let text = format!("{kind} volumes are not allowed to be used");
                errors.push(Error::invalid(&path, kind, &text));
            }
        }
        errors
    }

    fn check_se_linux(&self, options: Option<&Value>, path: &Path) -> ErrorList {
        let Some(wanted) = &self.se_linux else { return ErrorList::new() };
        let Some(options) = options.filter(|options| options.is_object()) else {
            return vec![Error::required(path, "")];
        };
        let mut errors = ErrorList::new();
        for field in ["level", "role", "type", "user"] {
            let (has, want) = (options.str_at(&[field]), wanted.str_at(&[field]));
            let fine = if field == "level" { same_level(has, want) } else { has == want };
            if !fine {
                let text = format!("must be {want}");
                errors.push(Error::invalid(&path.child(field), has, &text));
            }
        }
        errors
    }

    fn fill_container(&self, container: &mut Value, of_pod: &Value) {
        let own = |container: &Value, field: &str| {
            let own = container.at(&["securityContext", field]).filter(|it| !it.is_null());
            own.or_else(|| of_pod.get(field).filter(|it| !it.is_null())).cloned()
        };
        if own(container, "runAsUser").is_none() {
            let uid = match self.uids {
                Uids::Exactly(uid) | Uids::Range(uid, _) => Some(uid),
                Uids::Any | Uids::NonRoot => None,
            };
            if let Some(uid) = uid {
                container.set(&["securityContext", "runAsUser"], json!(uid));
            } else if self.uids == Uids::NonRoot && own(container, "runAsNonRoot").is_none() {
                container.set(&["securityContext", "runAsNonRoot"], json!(true));
            }
        }
        self.fill_capabilities(container);
        let open = |container: &Value, field: &str| {
            container.at(&["securityContext", field]).is_none_or(Value::is_null)
        };
        if self.allows("readOnlyRootFilesystem") && open(container, "readOnlyRootFilesystem") {
            container.set(&["securityContext", "readOnlyRootFilesystem"], json!(true));
        }
        if open(container, "allowPrivilegeEscalation") {
            let default = self.constraint.get("defaultAllowPrivilegeEscalation");
            let allowed = self.constraint.get("allowPrivilegeEscalation").and_then(Value::as_bool);
            let value =
                default.and_then(Value::as_bool).or_else(|| allowed.filter(|allowed| !allowed));
            if let Some(value) = value {
                container.set(&["securityContext", "allowPrivilegeEscalation"], json!(value));
            }
        }
    }

    fn fill_capabilities(&self, container: &mut Value) {
        let read = |container: &Value, field: &str| -> BTreeSet<String> {
            let list = container.list_at(&["securityContext", "capabilities", field]).iter();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (own_add, own_drop) = (read(container, "add"), read(container, "drop"));
        let owned =
            |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        let default_add = owned(self.strings("defaultAddCapabilities"));
        let required_drop = owned(self.strings("requiredDropCapabilities"));
        let add: BTreeSet<_> = default_add.difference(&own_drop).cloned().collect();
        let drop: BTreeSet<_> = required_drop.difference(&own_add).cloned().collect();
        let (add, drop) = (&add | &own_add, &drop | &own_drop);
        if add == own_add && drop == own_drop {
            return;
        }
        for (field, list) in [("add", add), ("drop", drop)] {
            if !list.is_empty() {
                container.set(&["securityContext", "capabilities", field], json!(list));
            }
        }
    }

    fn check_container(&self, pod: &Value, container: &Value, path: &Path) -> ErrorList {
        let own = container.get("securityContext").unwrap_or(&Value::Null);
        let of_pod = pod.at(&["spec", "securityContext"]).unwrap_or(&Value::Null);
        let effective = |field: &str| {
            let set = |context: &'_ Value| context.get(field).filter(|it| !it.is_null()).cloned();
            set(own).or_else(|| set(of_pod))
        };
        let mut errors = self.check_user(
            effective("runAsUser").as_ref(),
            effective("runAsNonRoot").as_ref(),
            path,
        );
        let options = effective("seLinuxOptions");
        errors.extend(self.check_se_linux(options.as_ref(), &path.child("seLinuxOptions")));
        if own.bool_at(&["privileged"]) && !self.allows("allowPrivilegedContainer") {
            let text = "Privileged containers are not allowed";
            errors.push(Error::invalid(&path.child("privileged"), true, text));
        }
        errors.extend(self.check_capabilities(own.get("capabilities")));
        let mut host = self.check_host(pod, path);
        let network = host.iter().position(|error| error.to_string().contains("hostNetwork"));
        errors.extend(network.map(|at| host.remove(at)));
        errors.extend(self.check_host_ports(pod, path));
        errors.extend(host);
        if self.allows("readOnlyRootFilesystem") && !own.bool_at(&["readOnlyRootFilesystem"]) {
            let text = "ReadOnlyRootFilesystem must be set to true";
            errors.push(Error::invalid(&path.child("readOnlyRootFilesystem"), false, text));
        }
        let escalation = own.get("allowPrivilegeEscalation").and_then(Value::as_bool);
        let forbidden = self.constraint.get("allowPrivilegeEscalation") == Some(&json!(false));
        if forbidden && escalation != Some(false) {
            let text = "Allowing privilege escalation for containers is not allowed";
            let path = path.child("allowPrivilegeEscalation");
            errors.push(Error::invalid(&path, escalation, text));
        }
        errors
    }

    fn check_user(&self, user: Option<&Value>, non_root: Option<&Value>, path: &Path) -> ErrorList {
        let path = path.child("securityContext");
        let uid = user.and_then(Value::as_i64);
        let (of_user, of_root) = (path.child("runAsUser"), path.child("runAsNonRoot"));
        match (self.uids, uid) {
            (Uids::Any, _) => ErrorList::new(),
            (Uids::NonRoot, _) => match (non_root.and_then(Value::as_bool), uid) {
                (None, None) => vec![Error::required(&of_root, "must be true")],
                (Some(false), _) => vec![Error::invalid(&of_root, false, "must be true")],
                (_, Some(0)) => {
                    vec![Error::invalid(&of_user, 0, "running with the root UID is forbidden")]
                }
                _ => ErrorList::new(),
            },
            (_, None) => vec![Error::required(&of_user, "")],
            (Uids::Exactly(wanted), Some(uid)) if uid != wanted => {
                vec![Error::invalid(&of_user, uid, &format!("must be: {wanted}"))]
            }
            (Uids::Range(min, max), Some(uid)) if !(min..=max).contains(&uid) => {
                let text = format!("must be in the ranges: [{min}, {max}]");
                vec![Error::invalid(&of_user, uid, &text)]
            }
            _ => ErrorList::new(),
        }
    }

    fn check_capabilities(&self, capabilities: Option<&Value>) -> ErrorList {
        let (default_add, drop) =
            (self.strings("defaultAddCapabilities"), self.strings("requiredDropCapabilities"));
        let allowed = self.strings("allowedCapabilities");
        let path = Path::new("capabilities");
        let Some(capabilities) = capabilities.filter(|it| it.is_object()) else {
            if default_add.is_empty() && drop.is_empty() {
                return ErrorList::new();
            }
            let text = "required capabilities are not set on the securityContext";
            return vec![Error::invalid(&path, Value::Null, text)];
        };
        if allowed.contains(&"*") {
            return ErrorList::new();
        }
        let mut errors = ErrorList::new();
        for added in capabilities.list_at(&["add"]).iter().filter_map(Value::as_str) {
            if !default_add.contains(&added) && !allowed.contains(&added) {
                let text = "capability may not be added";
                errors.push(Error::invalid(&path.child("add"), added, text));
            }
        }
        let dropped = capabilities.list_at(&["drop"]);
        for required in drop {
            if !dropped.iter().any(|it| it == required) {
                let text = format!("{required} is required to be dropped but was not found");
                errors.push(Error::invalid(&path.child("drop"), json!(dropped), &text));
            }
        }
        errors
    }

    fn check_host_ports(&self, pod: &Value, path: &Path) -> ErrorList {
        let mut errors = ErrorList::new();
        if self.allows("allowHostPorts") {
            return errors;
        }
        for list in ["containers", "initContainers"] {
            for (index, container) in pod.list_at(&["spec", list]).iter().enumerate() {
                for port in container.list_at(&["ports"]) {
                    let number = port.int_at(&["hostPort"]).unwrap_or(0);
                    if number > 0 {
                        let path = path.child(list).index(index).child("hostPort");
                        let text = "Host ports are not allowed to be used";
                        errors.push(Error::invalid(&path, number, text));
                    }
                }
            }
        }
        errors
    }
}

fn uids(constraint: &Value, namespace: &Value) -> Option<Uids> {
    let bound = |field: &str| constraint.int_at(&["runAsUser", field]);
    Some(match constraint.str_at(&["runAsUser", "type"]) {
        "MustRunAs" => Uids::Exactly(bound("uid")?),
        "MustRunAsNonRoot" => Uids::NonRoot,
        "MustRunAsRange" => match (bound("uidRangeMin"), bound("uidRangeMax")) {
            (Some(min), Some(max)) => Uids::Range(min, max),
            _ => {
                let (start, end) = block(namespace.annotation(UID_RANGE)?)?;
                Uids::Range(
                    bound("uidRangeMin").unwrap_or(start),
                    bound("uidRangeMax").unwrap_or(end),
                )
            }
        },
        _ => Uids::Any,
    })
}

/// `Some(None)` for any.
fn se_linux(constraint: &Value, namespace: &Value) -> Option<Option<Value>> {
    if constraint.str_at(&["seLinuxContext", "type"]) != "MustRunAs" {
        return Some(None);
    }
    let given = constraint.at(&["seLinuxContext", "seLinuxOptions"]).filter(|it| it.is_object());
    let mut options = given.cloned().unwrap_or_else(|| json!({}));
    if options.str_at(&["level"]).is_empty() {
        options.set(&["level"], json!(namespace.annotation(MCS)?));
    }
    Some(Some(options))
}

/// `start/size` or `start-end`.
fn block(text: &str) -> Option<(i64, i64)> {
    let text = text.trim();
    if let Some((start, size)) = text.split_once('/') {
        let (start, size): (i64, i64) = (start.parse().ok()?, size.parse().ok()?);
        return Some((start, start + size - 1));
    }
    let (start, end) = text.split_once('-')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}

fn check_groups(field: &str, ranges: &Groups, groups: &[i64]) -> ErrorList {
    let Some(ranges) = ranges else { return ErrorList::new() };
    let path = Path::new(field);
    let shown = || {
        let items: Vec<String> = groups.iter().map(ToString::to_string).collect();
        format!("[]int64{{{}}}", items.join(", "))
    };
    if groups.is_empty() && !ranges.is_empty() {
        let text = "unable to validate empty groups against required ranges";
        return vec![Error::invalid(&path, json!(groups), text).shown_as(&shown())];
    }
    let outside =
        groups.iter().filter(|group| !ranges.iter().any(|(a, b)| a <= group && *group <= b));
    outside
        .map(|group| {
            let text = format!("{group} is not an allowed group");
            Error::invalid(&path, json!(groups), &text).shown_as(&shown())
        })
        .collect()
}

/// Compares `s0:c1,c0` with the categories in any order.
fn same_level(one: &str, other: &str) -> bool {
    let parts = |level: &str| {
        let (sensitivity, categories) = level.split_once(':').unwrap_or((level, ""));
        let categories: BTreeSet<String> = categories.split(',').map(str::to_owned).collect();
        (sensitivity.to_owned(), categories)
    };
    parts(one) == parts(other)
}

/// The name of the volume's source, as constraints list it.
fn volume_kind(volume: &Value) -> &str {
    let mut fields = volume.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    fields.find(|field| *field != "name").unwrap_or("emptyDir")
}
