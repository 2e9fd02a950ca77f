//! Who acted in a rollout, by the audit trail of the cluster.
//!
//! Invariant: nobody is named who did not ask for it: a request counts when it was answered with
//! success and its time fits.

use apimachinery::{ObjectExt as _, Value};
use rehearsal::rollout::Rollout;

/// Puts the user's name where a client acted: that of the last request about it which was answered by
/// then.
pub(super) fn name_clients(rollout: &mut Rollout, trail: &[Value]) {
    let (project, name) = (&rollout.project, &rollout.deployment_config);
    let about = |event: &&Value| {
        let of = |field: &str| event.str_at(&["objectRef", field]);
        let resource = matches!(of("resource"), "deploymentconfigs" | "replicationcontrollers");
        let named = of("name") == name || of("name").starts_with(&format!("{name}-"));
        resource && named && of("namespace") == project
    };
    let requests: Vec<&Value> = trail.iter().filter(about).filter(accepted).collect();
    for moment in rollout.moments.iter_mut().filter(|moment| moment.who == "client") {
        let near = |event: &&&Value| {
            let (asked, told) = (event.str_at(&["requestReceivedTimestamp"]), &moment.time);
            asked <= told.as_str()
        };
        if let Some(event) = requests.iter().rev().find(near) {
            event.str_at(&["user", "username"]).clone_into(&mut moment.who);
        }
    }
}

fn accepted(event: &&Value) -> bool {
    event.int_at(&["responseStatus", "code"]) < Some(300)
}

/// Names who moved the tags that set the rollout off. The history of a tag tells to the second when it
/// came to its image; the request that did it was under way then. Tags that an import moved by itself
/// have no such request.
pub(super) fn name_movers(
    rollout: &mut Rollout,
    trail: &[Value],
    stream_of: &dyn Fn(&str, &str) -> Option<Value>,
) {
    for moved in &mut rollout.tags {
        let Some((project, name)) = moved.tag.split_once('/') else { continue };
        let Some((stream, tag)) = name.split_once(':') else { continue };
        let Some(object) = stream_of(project, stream) else { continue };
        let Some(created) = created(&object, tag, &moved.image) else { continue };
        let about = |event: &&Value| {
            let of = |field: &str| event.str_at(&["objectRef", field]);
            let named = match of("resource") {
                "imagestreamtags" | "imagetags" => of("name") == name,
                "imagestreams" => of("name") == stream,
                // The stream stands in the body.
                "imagestreammappings" | "imagestreamimports" => {
                    of("name").is_empty() || of("name") == stream
                }
                _ => false,
            };
            named && of("namespace") == project
        };
        let second = |event: &Value, field: &str| {
            let time = event.str_at(&[field]);
            time.split('.').next().unwrap_or_default().trim_end_matches('Z').to_owned()
        };
        let then = |event: &&Value| {
            second(event, "requestReceivedTimestamp") <= created
                && created <= second(event, "stageTimestamp")
        };
        let found = trail.iter().filter(accepted).filter(about).rfind(then);
        if let Some(event) = found {
            event.str_at(&["user", "username"]).clone_into(&mut moved.moved_by);
        }
    }
}

/// When `tag` last came to `image`, without fractions and zone; times of the API are in UTC.
fn created(stream: &Value, tag: &str, image: &str) -> Option<String> {
    let mut tags = stream.list_at(&["status", "tags"]).iter();
    let history = tags.find(|one| one.str_at(&["tag"]) == tag)?.list_at(&["items"]);
    let event = history.iter().find(|event| event.str_at(&["image"]) == image)?;
    let created = event.str_at(&["created"]).trim_end_matches('Z');
    Some(created.to_owned()).filter(|created| !created.is_empty())
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn rollout(moments: &[(&str, &str)]) -> Rollout {
        let moment = |(time, who): &(&str, &str)| {
            json!({
                "time": time, "after": "0.000", "who": who, "kind": "change", "old": 0, "new": 0,
                "oldReady": 0, "newReady": 0, "what": "something",
            })
        };
        let moments: Vec<Value> = moments.iter().map(moment).collect();
        let rollout = json!({
            "project": "shop", "deploymentConfig": "web", "version": 2, "strategy": "Rolling",
            "why": "image change", "images": [], "phase": "Running", "began": "", "moments": moments,
            "tags": [{"tag": "shop/web:live", "image": "sha256:2"}],
        });
        json::from_value(rollout).unwrap()
    }

    fn event(user: &str, resource: &str, name: &str, from: &str, to: &str, code: u16) -> Value {
        json!({
            "user": {"username": user}, "responseStatus": {"code": code},
            "objectRef": {"resource": resource, "namespace": "shop", "name": name},
            "requestReceivedTimestamp": format!("2026-01-01T00:00:{from}Z"),
            "stageTimestamp": format!("2026-01-01T00:00:{to}Z"),
        })
    }

    #[test]
    fn a_client_is_who_asked_last_before() {
        let trail = [
            event("ann", "deploymentconfigs", "web", "01.000000", "01.100000", 200),
            event("bob", "deploymentconfigs", "web", "02.000000", "02.100000", 409),
            event("eve", "deploymentconfigs", "web", "09.000000", "09.100000", 200),
        ];
        let mut story = rollout(&[
            ("2026-01-01T00:00:03.000000Z", "client"),
            ("2026-01-01T00:00:03Z", "deployer"),
        ]);
        name_clients(&mut story, &trail);
        let who: Vec<&str> = story.moments.iter().map(|one| one.who.as_str()).collect();
        assert_eq!(who, ["ann", "deployer"]);
    }

    fn mover(trail: &[Value]) -> String {
        let stream = json!({"status": {"tags": [{"tag": "live", "items": [
            {"created": "2026-01-01T00:00:07Z", "image": "sha256:2"},
            {"created": "2026-01-01T00:00:01Z", "image": "sha256:1"},
        ]}]}});
        let mut story = rollout(&[]);
        name_movers(&mut story, trail, &|project, name| {
            (project == "shop" && name == "web").then(|| stream.clone())
        });
        story.tags.remove(0).moved_by
    }

    #[test]
    fn who_moved_a_tag_asked_when_its_history_says_so() {
        let before = event("ann", "imagestreamtags", "web:live", "01.000000", "01.100000", 201);
        let other = event("kim", "imagestreamtags", "web:next", "07.000000", "07.300000", 201);
        let refused = event("bob", "imagestreamtags", "web:live", "07.000000", "07.300000", 403);
        let by = event("eve", "imagestreamtags", "web:live", "06.900000", "07.300000", 200);
        let push = event("ci", "imagestreammappings", "", "07.000000", "07.300000", 201);
        assert_eq!(mover(&[before.clone(), other.clone(), refused, by]), "eve");
        assert_eq!(mover(&[before.clone(), push]), "ci");
        assert_eq!(mover(&[before, other]), "", "an import by itself");
    }
}
