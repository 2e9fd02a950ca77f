//! `oc new-project`, `oc new-app --image-stream`, `oc expose` and `oc policy`.
//!
//! Invariant: as in [`oc`](super::oc).

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::oc::{Oc, Printed, refused};

impl Oc<'_> {
    pub(super) fn go_to(&mut self, name: &str) -> Printed {
        self.client.get(&api::PROJECTS, "", name).map_err(|status| refused(&status))?;
        self.project = name.to_owned();
        Ok(format!("Now using project {name:?} on server \"https://192.0.2.2:38443\"."))
    }

    pub(super) fn new_project(&mut self, name: &str, shown: Option<&str>) -> Printed {
        let request = json!({"kind": "ProjectRequest", "apiVersion": "project.openshift.io/v1",
            "metadata": {"name": name}, "displayName": shown});
        let made = self.client.create(&api::PROJECT_REQUESTS, "", request);
        made.map_err(|status| refused(&status))?;
        let using = self.go_to(name)?;
        Ok(format!(
            "{using}\n\nYou can add applications to this project with the 'new-app' command. For \
             example, try:\n\n    oc new-app centos/ruby-25-centos7~https://github.com/sclorg/ruby-ex.git\
             \n\nto build a new example application in Ruby."
        ))
    }

    /// `oc new-app` for a stream tag whose image listens on 8080.
    pub(super) fn new_app(&self, place: &str) -> Printed {
        let (name, tag) = place.split_once(':').unwrap();
        let found = self.client.get(&api::IMAGE_STREAM_TAGS, &self.project, place);
        let found = found.map_err(|status| refused(&status))?;
        let metadata = &found["image"]["dockerImageMetadata"];
        let id =
            metadata.str_at(&["Id"]).trim_start_matches("sha256:").get(..7).unwrap_or_default();
        let ports = metadata.map_at(&["Config", "ExposedPorts"]);
        assert!(ports.is_some_and(|ports| ports.contains_key("8080/tcp")), "{found}");
        let stream = self.client.get(&api::IMAGE_STREAMS, &self.project, name).unwrap();
        let image = format!("{}:{tag}", stream.str_at(&["status", "dockerImageRepository"]));
        let made_by = json!({"openshift.io/generated-by": "OpenShiftNewApp"});
        let labels = json!({"app": name, "deploymentconfig": name});
        let config = json!({
            "kind": "DeploymentConfig", "apiVersion": "apps.openshift.io/v1",
            "metadata": {"name": name, "labels": {"app": name}, "annotations": made_by},
            "spec": {"replicas": 1, "selector": labels, "strategy": {"resources": {}}, "test": false,
                "triggers": [{"type": "ConfigChange"}, {"type": "ImageChange", "imageChangeParams": {
                    "automatic": true, "containerNames": [name],
                    "from": {"kind": "ImageStreamTag", "name": place, "namespace": self.project}}}],
                "template": {"metadata": {"labels": labels, "annotations": made_by},
                    "spec": {"containers": [{"name": name, "image": image, "resources": {},
                        "ports": [{"containerPort": 8080, "protocol": "TCP"}]}]}}}});
        let service = json!({
            "kind": "Service", "apiVersion": "v1",
            "metadata": {"name": name, "labels": {"app": name}, "annotations": made_by},
            "spec": {"selector": labels, "ports":
                [{"name": "8080-tcp", "protocol": "TCP", "port": 8080, "targetPort": 8080}]}});
        for (resource, object) in [(&api::DEPLOYMENT_CONFIGS, config), (&api::SERVICES, service)] {
            let made = self.client.create(resource, &self.project, object);
            made.map_err(|status| refused(&status))?;
        }
        let tags = metadata.str_at(&["Config", "Labels", "io.openshift.tags"]);
        Ok(format!(
            "--> Found image {id} (An hour old) in image stream \"{}/{name}\" under tag {tag:?} for \
             {place:?}\n    Tags: {tags}\n    * This image will be deployed in deployment config \
             {name:?}\n    * Port 8080/tcp will be load balanced by service {name:?}\n      * Other \
             containers can access this service through the hostname {name:?}\n--> Creating resources \
             ...\n    deploymentconfig.apps.openshift.io {name:?} created\n    service {name:?} \
             created\n--> Success\n    Application is not exposed. You can expose services to the \
             outside world by executing one or more of the commands below:\n     'oc expose \
             svc/{name}'\n    Run 'oc status' to view your app.",
            self.project
        ))
    }

    pub(super) fn expose(&self, name: &str) -> Printed {
        let service = self.client.get(&api::SERVICES, &self.project, name);
        let service = service.map_err(|status| refused(&status))?;
        let route = json!({"kind": "Route", "apiVersion": "route.openshift.io/v1",
            "metadata": {"name": name, "labels": service["metadata"]["labels"]},
            "spec": {"host": "", "to": {"kind": "Service", "name": name},
                "port": {"targetPort": service["spec"]["ports"][0]["name"]}}});
        let made = self.client.create(&api::ROUTES, &self.project, route);
        let line = format!("route.route.openshift.io/{name} exposed");
        made.map(|_| line).map_err(|status| refused(&status))
    }

    /// `oc policy add-role-to-group`: a binding of its own, unless there is one for this already.
    pub(super) fn add_role(&self, role: &str, subject: &Value) -> Printed {
        let bindings = self.client.list(&api::ROLE_BINDINGS, &self.project).unwrap();
        let bound = |binding: &Value| {
            let mut subjects = binding.list_at(&["subjects"]).iter();
            binding["roleRef"]["name"] == role && subjects.any(|had| had["name"] == subject["name"])
        };
        if !bindings.iter().any(|binding| bound(binding)) {
            let taken = |name: &str| bindings.iter().any(|binding| binding.name() == name);
            let numbered = (0..).map(|number| format!("{role}-{number}"));
            let name = std::iter::once(role.to_owned()).chain(numbered).find(|name| !taken(name));
            let mut subject = subject.clone();
            subject["apiGroup"] = json!("rbac.authorization.k8s.io");
            let binding = json!({"kind": "RoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1",
                "metadata": {"name": name}, "subjects": [subject],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                    "name": role}});
            let made = self.client.create(&api::ROLE_BINDINGS, &self.project, binding);
            made.map_err(|status| refused(&status))?;
        }
        Ok(format!("role {role:?} added: {}", subject["name"]))
    }
}
