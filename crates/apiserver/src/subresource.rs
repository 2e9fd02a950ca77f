//! The sub-resources and virtual resources the server brings along.

mod approval;
mod binding;
mod eviction;
mod finalize;
mod image_stream;
mod pod_log;
mod rollback;
mod scale;

use api::Resource;

pub(crate) use self::pod_log::{choose as choose_container, runs};
use crate::access_review::{AccessReviews, SelfSubjectReviews};
use crate::component_status::ComponentStatuses;
use crate::handler::RestHandler;
use crate::project::{ProjectRequests, Projects};
use crate::template::ProcessedTemplates;

/// Who serves which sub-resource of which resource.
pub(crate) fn built_in() -> Vec<(&'static Resource, &'static str, Box<dyn RestHandler>)> {
    vec![
        (&api::SELF_SUBJECT_ACCESS_REVIEWS, "", Box::new(AccessReviews::OfCaller)),
        (&api::SUBJECT_ACCESS_REVIEWS, "", Box::new(AccessReviews::OfAnyone)),
        (&api::LOCAL_SUBJECT_ACCESS_REVIEWS, "", Box::new(AccessReviews::OfAnyone)),
        (&api::SELF_SUBJECT_REVIEWS, "", Box::new(SelfSubjectReviews)),
        (&api::COMPONENT_STATUSES, "", Box::new(ComponentStatuses)),
        (&api::CERTIFICATE_SIGNING_REQUESTS, "approval", Box::new(approval::Approval)),
        (&api::BINDINGS, "", Box::new(binding::Bindings)),
        (&api::PODS, "binding", Box::new(binding::PodBinding)),
        (&api::PODS, "eviction", Box::new(eviction::PodEviction)),
        (&api::PODS, "log", Box::new(pod_log::PodLog)),
        (&api::NAMESPACES, "finalize", Box::new(finalize::NamespaceFinalize)),
        (&api::REPLICATION_CONTROLLERS, "scale", Box::new(scale::ScaleOf)),
        (&api::REPLICA_SETS, "scale", Box::new(scale::ScaleOf)),
        (&api::DEPLOYMENTS, "rollback", Box::new(rollback::DeploymentRollback)),
        (&api::DEPLOYMENTS, "scale", Box::new(scale::ScaleOf)),
        (&api::PROJECTS, "", Box::new(Projects)),
        (&api::PROJECT_REQUESTS, "", Box::new(ProjectRequests)),
        (&api::PROCESSED_TEMPLATES, "", Box::new(ProcessedTemplates)),
        (&api::IMAGE_STREAMS, "secrets", Box::new(image_stream::Secrets)),
        (&api::IMAGE_STREAMS, "layers", Box::new(image_stream::Layers)),
        (&api::STATEFUL_SETS, "scale", Box::new(scale::ScaleOf)),
    ]
}
