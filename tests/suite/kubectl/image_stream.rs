//! Image streams and their tags: pushed, tagged into another project, deleted.

use crate::harness::kubectl::cluster_and_kubectl;
use crate::harness::transcript::Transcript;

#[test]
fn tagged_from_project_to_project() {
    let Some((_cluster, kubectl)) = cluster_and_kubectl() else { return };
    let mut session = Transcript::of(&kubectl);
    session.script(
        "create namespace hello
         create namespace production
         apply -n hello -f @openshift-hello/app.yaml
         create -n hello -f @openshift-hello/push-1.yaml
         get -n hello is,istag
         get -n hello istag hello:latest -o yaml
         create -n production -f @openshift-hello/tag.yaml
         get -n production is,istag
         get -n production is hello -o yaml
         - replace --raw /apis/image.openshift.io/v1/namespaces/production/imagestreamtags/hello:stable -f @openshift-hello/tag-stable.json
         get -n production istag hello:stable -o yaml
         create -n hello -f @openshift-hello/push-2.yaml
         get -n hello is hello -o jsonpath='{range .status.tags[0].items[*]}{.generation} {.image}{\"\\n\"}{end}'
         get -n production istag hello:promoted -o jsonpath='{.image.metadata.name}'
         get -n hello istag hello:nothing
         get -n hello istag nothing:latest
         get -n hello istag nothing
         get images
         delete -n production istag hello:stable
         get -n production istag
         delete -n production is hello
         create -n production -f @openshift-hello/push-1.yaml",
    );
    session.check("image_stream_tagged_from_project_to_project");
}

/// `oc new-project` is a ProjectRequest; a Project is a view of a namespace.
#[test]
fn projects() {
    let Some((_cluster, kubectl)) = cluster_and_kubectl() else { return };
    let mut session = Transcript::of(&kubectl);
    session.script(
        "create -f @openshift-hello/project-request.yaml
         get projects
         get project development -o yaml
         get namespace development
         create -f @openshift-hello/project-request.yaml
         delete project development
         get project development",
    );
    session.check("image_stream_projects");
}
