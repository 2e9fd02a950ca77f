//! Deleting objects: at once, after a grace period, or when the last finalizer is gone.
//!
//! Mirrors: `k8s.io/apiserver/pkg/registry/generic/registry/store.go` (`Delete`),
//! `k8s.io/apiserver/pkg/registry/rest/delete.go`.
//!
//! Invariant: a grace period, once set, only gets shorter.

use std::time::Duration;

use api::Resource;
use apimachinery::field::{Error, Path};
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use store::KeyValue;
use world::Time;

use crate::admission::Operation;
use crate::call::{Call, DeleteOptions, Deleted, ListOptions, ObjectList, Propagation};
use crate::read::check_storage;
use crate::server::ApiServer;
use crate::stored::Stored;
use crate::strategy::Strategy;
use crate::{error, key};

/// The finalizer under which the garbage collector frees the dependents.
const ORPHAN: &str = "orphan";
/// The finalizer under which the garbage collector deletes the dependents first.
const FOREGROUND: &str = "foregroundDeletion";
const ATTEMPTS: usize = 100;

/// What a deletion does to an object that is not (yet) removed.
#[derive(Debug)]
enum Step {
    /// Already ending; nothing to do.
    Pending,
    /// Write the marked object; remove it at once when asked to.
    Mark { object: Value, then_remove: bool },
    /// Remove it.
    Remove,
}

impl ApiServer {
    /// Deletes one object, or starts to.
    ///
    /// # Errors
    /// 404, 409 when a precondition fails, 403 or 422 as Kubernetes gives them.
    pub fn delete(&self, call: &Call<'_>, options: DeleteOptions) -> Result<Deleted, Status> {
        if let Some(handler) = self.handler(call) {
            return self.answered(handler.delete(&self.handler_context(call), &options));
        }
        check_storage(call)?;
        if !call.subresource.is_empty() {
            return Err(Status::method_not_allowed());
        }
        let mut options = options;
        self.answered(self.delete_stored(call, &mut options))
    }

    /// Deletes every object that `selected` selects, and returns them as they were.
    ///
    /// As upstream, the grace period of the first pod is that of all when none is asked for.
    ///
    /// # Errors
    /// As for [`Self::list`] and [`Self::delete`]; objects that vanish meanwhile are no error.
    pub fn delete_collection(
        &self,
        call: &Call<'_>,
        options: DeleteOptions,
        selected: &ListOptions,
    ) -> Result<ObjectList, Status> {
        let list = self.list(call, selected)?;
        let mut options = options;
        for object in &list.items {
            let object = object.value();
            let (namespace, name) = (object.namespace(), object.name());
            let one = Call { namespace, name, ..call.clone() };
            match self.delete_stored(&one, &mut options) {
                Err(status) if !status.is_not_found() => return Err(status),
                _ => {}
            }
        }
        self.answered(Ok(list))
    }

    fn delete_stored(
        &self,
        call: &Call<'_>,
        options: &mut DeleteOptions,
    ) -> Result<Deleted, Status> {
        check_options(options)?;
        let strategy = self.strategy(call.resource);
        let dry_run = options.dry_run || call.options.dry_run;
        for _ in 0..ATTEMPTS {
            let current = self.current(call)?;
            let value = current.value.value();
            let mut shown = (*value).clone();
            self.admit(call, Operation::Delete, &mut shown, Some(&value))?;
            check_preconditions(call.resource, options, &value)?;
            let is_namespace = call.resource.plural == "namespaces";
            let step = if is_namespace {
                plan_namespace(call.resource, strategy, &value, options, self.world().now())?
            } else {
                plan(call.resource, strategy, &value, options, self.world().now())
            };
            if let Some(deleted) = self.carry_out(call, strategy, &current, step, dry_run) {
                return Ok(deleted);
            }
        }
        Err(error::modified(call.resource, call.name))
    }

    /// `None` when someone else wrote in between.
    fn carry_out(
        &self,
        call: &Call<'_>,
        strategy: &dyn Strategy,
        current: &KeyValue<Stored>,
        step: Step,
        dry_run: bool,
    ) -> Option<Deleted> {
        let answer = |last: &Stored| self.deletion_answer(call, strategy, last);
        match step {
            Step::Pending => Some(answer(&current.value)),
            Step::Remove if dry_run => Some(answer(&current.value)),
            Step::Remove => self.remove(strategy, current).map(|last| answer(&last)),
            Step::Mark { object, then_remove } => {
                let marked = Stored::new(object);
                if dry_run {
                    return Some(Deleted::Object(self.present(call.resource, &marked)));
                }
                let written = self.replace(strategy, current, marked)?;
                if !then_remove {
                    return Some(Deleted::Object(self.present(call.resource, &written)));
                }
                // Whoever comes in between now may as well have removed it: that is no error.
                if let Some(latest) = self.store().get(&current.key) {
                    self.remove(strategy, &latest);
                }
                Some(answer(&written))
            }
        }
    }

    fn deletion_answer(&self, call: &Call<'_>, strategy: &dyn Strategy, last: &Stored) -> Deleted {
        if strategy.returns_deleted_object() {
            return Deleted::Object(self.present(call.resource, last));
        }
        Deleted::Status(error::deletion_success(call.resource, call.name, last.value().uid()))
    }

    /// Removes a namespace that has been emptied.
    pub(crate) fn remove_if_finalized(&self, resource: &'static Resource, name: &str) {
        let Some(current) = self.store().get(&key::object(resource, "", name)) else { return };
        let value = &current.value.value();
        if value.deletion_timestamp().is_some()
            && value.list_at(&["spec", "finalizers"]).is_empty()
            && value.list_at(&["metadata", "finalizers"]).is_empty()
        {
            self.remove(self.strategy(resource), &current);
        }
    }
}

fn check_options(options: &DeleteOptions) -> Result<(), Status> {
    let path = Path::new("propagationPolicy");
    let policy = options.propagation_policy.as_deref();
    let mut errors = Vec::new();
    if options.orphan_dependents.is_some() && policy.is_some() {
        let text = "orphanDependents and deletionPropagation cannot be both set";
        errors.push(Error::invalid(&path, policy.unwrap_or_default(), text));
    }
    let known = ["Foreground", "Background", "Orphan"];
    if let Some(policy) = policy.filter(|policy| !known.contains(policy)) {
        let supported = ["Foreground", "Background", "Orphan", "nil"];
        errors.push(Error::not_supported(&path, policy, &supported));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", &errors))
}

fn check_preconditions(
    resource: &Resource,
    options: &DeleteOptions,
    object: &Value,
) -> Result<(), Status> {
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != object.uid()) {
        return Err(error::delete_uid_differs(resource, object.name(), (uid, object.uid())));
    }
    let differs = |version: &&str| *version != object.resource_version();
    if let Some(version) = options.resource_version.as_deref().filter(differs) {
        let versions = (version, object.resource_version());
        return Err(error::delete_version_differs(resource, object.name(), versions));
    }
    Ok(())
}

/// What a deletion does next. The grace period found is left in `options`, for the objects after.
fn plan(
    resource: &Resource,
    strategy: &dyn Strategy,
    old: &Value,
    options: &mut DeleteOptions,
    now: Time,
) -> Step {
    let mut object = old.clone();
    let grace = match mark_graceful(strategy, &mut object, options, now) {
        Grace::Pending => return Step::Pending,
        Grace::Set(seconds) => Some(seconds),
        Grace::None => None,
    };
    set_finalizers(resource, strategy, &mut object, options);
    if old.deletion_timestamp().is_none() {
        strategy.prepare_for_delete(&mut object, now);
    }
    let held = !object.list_at(&["metadata", "finalizers"]).is_empty();
    match grace {
        None if !held => Step::Remove,
        None => {
            mark_deleting(&mut object, now);
            object.set(&["metadata", "deletionGracePeriodSeconds"], json!(0));
            Step::Mark { object, then_remove: false }
        }
        Some(seconds) => Step::Mark { object, then_remove: !held && seconds == 0 },
    }
}

enum Grace {
    /// The kind ends at once, or its grace period is over.
    None,
    /// A grace period runs that is not longer than the one asked for.
    Pending,
    /// The grace period has been written into the object.
    Set(i64),
}

fn mark_graceful(
    strategy: &dyn Strategy,
    object: &mut Value,
    options: &mut DeleteOptions,
    now: Time,
) -> Grace {
    let Some(period) = strategy.grace_period_seconds(object, options.grace_period_seconds) else {
        return Grace::None;
    };
    if let Some(deadline) = object.deletion_timestamp() {
        let running = object.int_at(&["metadata", "deletionGracePeriodSeconds"]);
        let Some(running) = running else { return Grace::None };
        let Some(asked) = options.grace_period_seconds.filter(|asked| *asked < running) else {
            return Grace::Pending;
        };
        let begun = Time::parse_rfc3339(deadline).unwrap_or(now).unix_seconds() - running;
        let deadline = Time::from_unix_seconds(begun + asked).rfc3339();
        object.set(&["metadata", "deletionTimestamp"], json!(deadline));
        object.set(&["metadata", "deletionGracePeriodSeconds"], json!(asked));
        return Grace::Set(asked);
    }
    options.grace_period_seconds = Some(period);
    let deadline = now + Duration::from_secs(u64::try_from(period).unwrap_or(0));
    mark_deleting(object, deadline);
    object.set(&["metadata", "deletionGracePeriodSeconds"], json!(period));
    Grace::Set(period)
}

/// Sets the deletion timestamp unless it is set; the beginning of the end counts as a change.
fn mark_deleting(object: &mut Value, deadline: Time) {
    if object.deletion_timestamp().is_some() {
        return;
    }
    if object.generation() > 0 {
        let next = object.generation() + 1;
        object.set(&["metadata", "generation"], json!(next));
    }
    object.set(&["metadata", "deletionTimestamp"], json!(deadline.rfc3339()));
}

/// Puts in the garbage collector's finalizer that the options ask for, and takes out the other.
fn set_finalizers(
    resource: &Resource,
    strategy: &dyn Strategy,
    object: &mut Value,
    options: &DeleteOptions,
) {
    let old = object.list_at(&["metadata", "finalizers"]);
    let wanted = match propagation(resource, strategy, old, options) {
        Propagation::Orphan => Some(ORPHAN),
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Background | Propagation::Unsupported => None,
    };
    let ours = |finalizer: &Value| finalizer == ORPHAN || finalizer == FOREGROUND;
    if old.iter().filter(|finalizer| ours(finalizer)).map(Value::as_str).eq(wanted.map(Some)) {
        return;
    }
    let mut new: Vec<Value> = old.iter().filter(|finalizer| !ours(finalizer)).cloned().collect();
    new.extend(wanted.map(|finalizer| json!(finalizer)));
    if new.is_empty() {
        object.remove(&["metadata", "finalizers"]);
    } else {
        object.set(&["metadata", "finalizers"], Value::from(new));
    }
}

/// Options first, then a finalizer already there, then the kind's default.
fn propagation(
    resource: &Resource,
    strategy: &dyn Strategy,
    finalizers: &[Value],
    options: &DeleteOptions,
) -> Propagation {
    let default = strategy.default_propagation(resource);
    if default == Propagation::Unsupported {
        return default;
    }
    match (options.orphan_dependents, options.propagation_policy.as_deref()) {
        (Some(true), _) | (None, Some("Orphan")) => return Propagation::Orphan,
        (None, Some("Foreground")) => return Propagation::Foreground,
        (Some(false), _) | (None, Some(_)) => return Propagation::Background,
        (None, None) => {}
    }
    let present = |name: &str| finalizers.iter().any(|finalizer| finalizer == name);
    match default {
        _ if present(ORPHAN) => Propagation::Orphan,
        _ if present(FOREGROUND) => Propagation::Foreground,
        default => default,
    }
}

/// Namespaces terminate first; they go when their finalizers have.
///
/// Mirrors: `kubernetes/pkg/registry/core/namespace/storage`.
fn plan_namespace(
    resource: &Resource,
    strategy: &dyn Strategy,
    old: &Value,
    options: &mut DeleteOptions,
    now: Time,
) -> Result<Step, Status> {
    if old.deletion_timestamp().is_none() {
        let mut object = old.clone();
        mark_deleting(&mut object, now);
        object.set(&["status", "phase"], json!("Terminating"));
        set_finalizers(resource, strategy, &mut object, options);
        return Ok(Step::Mark { object, then_remove: false });
    }
    if !old.list_at(&["spec", "finalizers"]).is_empty() {
        let text = "The system is ensuring all content is removed from this namespace.  Upon \
                    completion, this namespace will automatically be purged by the system.";
        return Err(Status::conflict(resource.group, resource.plural, old.name(), text));
    }
    Ok(plan(resource, strategy, old, options, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct With(Propagation);

    impl Strategy for With {
        fn default_propagation(&self, _: &Resource) -> Propagation {
            self.0
        }
    }

    fn policy(policy: &str) -> DeleteOptions {
        DeleteOptions { propagation_policy: Some(policy.to_owned()), ..DeleteOptions::default() }
    }

    fn orphan(orphan: bool) -> DeleteOptions {
        DeleteOptions { orphan_dependents: Some(orphan), ..DeleteOptions::default() }
    }

    fn finalizers(default: Propagation, before: &[&str], options: &DeleteOptions) -> Vec<String> {
        let mut object = json!({"metadata": {"finalizers": before}});
        set_finalizers(&api::CONFIG_MAPS, &With(default), &mut object, options);
        let after = object.list_at(&["metadata", "finalizers"]).iter().filter_map(Value::as_str);
        after.map(str::to_owned).collect()
    }

    // Rows of `TestStoreDeleteWithOrphanDependents` and `TestStoreDeletionPropagation` upstream.
    #[test]
    fn finalizers_follow_options_then_finalizers_then_the_kind() {
        use Propagation::{Background, Orphan, Unsupported};
        let none = DeleteOptions::default;
        let both: &[&str] = &["foo.com/x", "orphan", "bar.com/y"];
        let own: &[&str] = &["foo.com/x", "bar.com/y"];
        let rows: &[(Propagation, &[&str], DeleteOptions, &[&str])] = &[
            (Background, both, orphan(true), both),
            (Background, own, orphan(true), &["foo.com/x", "bar.com/y", "orphan"]),
            (Orphan, both, orphan(false), own),
            (Orphan, &["orphan"], orphan(false), &[]),
            (Background, both, none(), both),
            (Background, &[], none(), &[]),
            (Orphan, &[], none(), &["orphan"]),
            (Orphan, own, none(), &["foo.com/x", "bar.com/y", "orphan"]),
            (Background, own, none(), own),
            (Background, &["foregroundDeletion"], policy("Orphan"), &["orphan"]),
            (Orphan, &["foregroundDeletion"], none(), &["foregroundDeletion"]),
            (Background, &["orphan"], policy("Background"), &[]),
            (Orphan, &["orphan"], policy("Foreground"), &["foregroundDeletion"]),
            (Unsupported, &[], policy("Orphan"), &[]),
        ];
        for (default, before, options, after) in rows {
            assert_eq!(
                finalizers(*default, before, options),
                *after,
                "{default:?} {before:?} {options:?}"
            );
        }
    }
}
