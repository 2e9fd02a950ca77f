//! The cluster's side of a repository: its image stream.
//!
//! Mirrors: `openshift/image-registry/pkg/dockerregistry/server/{repository,manifesthandler,tagservice}.go`.

use std::collections::BTreeSet;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::audit::{Reference, Request};
use apiserver::{ApiServer, Call, ListOptions, User};

use crate::digest::Digest;
use crate::repository::Repository;

/// The address of the registry in pull specs.
pub(crate) const ADDRESS: &str = "docker-registry.default.svc:5000";

/// A pushed image on its way to the cluster.
#[derive(Debug)]
pub(crate) struct Pushed<'a> {
    pub(crate) tag: &'a str,
    pub(crate) digest: &'a Digest,
    pub(crate) media_type: &'a str,
    pub(crate) manifest: &'a str,
    pub(crate) config: &'a str,
}

/// Image streams, read with all rights: what a caller may do was asked before.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    server: ApiServer,
    registry: User,
}

impl Streams {
    pub(crate) fn new(server: ApiServer) -> Self {
        Self { server, registry: User::system_admin() }
    }

    /// The stream of a repository; `None` when there is none.
    pub(crate) fn stream(&self, repository: &Repository) -> Option<Value> {
        let call = Call::new(&self.registry, &api::IMAGE_STREAMS)
            .within(&repository.namespace)
            .named(&repository.name);
        self.server.get(&call).ok().map(apiserver::Stored::into_value)
    }

    /// The names of all repositories, sorted.
    pub(crate) fn repositories(&self) -> Result<Vec<String>, Status> {
        let call = Call::new(&self.registry, &api::IMAGE_STREAMS);
        let all = self.server.list(&call, &ListOptions::default())?;
        let name = |stream: &Value| format!("{}/{}", stream.namespace(), stream.name());
        let mut names: Vec<_> = all.items.iter().map(|stream| name(&stream.value())).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The manifest that the cluster keeps of an image which never passed through here, with its
    /// media type.
    pub(crate) fn kept_manifest(&self, digest: &Digest) -> Option<(Vec<u8>, String)> {
        let name = digest.to_string();
        let image =
            self.server.get(&Call::new(&self.registry, &api::IMAGES).named(&name)).ok()?.value();
        let manifest = image.str_at(&["dockerImageManifest"]);
        let media_type = image.str_at(&["dockerImageManifestMediaType"]);
        let whole = Digest::of(manifest.as_bytes()) == *digest;
        whole.then(|| (manifest.as_bytes().to_vec(), media_type.to_owned()))
    }

    /// Tells the cluster of a pushed image, in the name of `user`, whose right to push was asked
    /// before; the stream is made when there is none and the user may make one.
    pub(crate) fn push(
        &self,
        user: &User,
        repository: &Repository,
        pushed: &Pushed<'_>,
    ) -> Result<(), Status> {
        let mapping = mapping(repository, pushed);
        match self.map(user, repository, mapping.clone()) {
            Err(status) if status.code == 404 => {
                self.create(user, repository)?;
                self.map(user, repository, mapping)
            }
            result => result,
        }
    }

    fn map(&self, user: &User, repository: &Repository, mapping: Value) -> Result<(), Status> {
        let call = Call::new(user, &api::IMAGE_STREAM_MAPPINGS).within(&repository.namespace);
        self.audited(&call, repository, || self.server.create(&call, mapping).map(drop))
    }

    /// Does what `call` is about and tells the audit trail of it, as if the pusher had asked the API.
    fn audited(
        &self,
        call: &Call<'_>,
        repository: &Repository,
        act: impl FnOnce() -> Result<(), Status>,
    ) -> Result<(), Status> {
        let received = self.server.world().now();
        let answered = act();
        let Some(auditor) = self.server.auditor() else { return answered };
        let failure = answered.as_ref().err();
        let api::Resource { group, version, plural, .. } = call.resource;
        let namespace = &repository.namespace;
        let object = Reference {
            group: (*group).to_owned(),
            version: (*version).to_owned(),
            resource: (*plural).to_owned(),
            namespace: namespace.clone(),
            name: repository.name.clone(),
            ..Reference::default()
        };
        auditor.record(&Request {
            received,
            answered: self.server.world().now(),
            user: Some(call.user),
            impersonated: None,
            verb: "create",
            uri: &format!("/apis/{group}/{version}/namespaces/{namespace}/{plural}"),
            user_agent: "registry",
            object: &object,
            code: failure.map_or(201, |status| status.code),
            failure: failure.map(|status| (status.reason.as_str(), status.message.as_str())),
        });
        answered
    }

    fn create(&self, user: &User, repository: &Repository) -> Result<(), Status> {
        let call = Call::new(user, &api::IMAGE_STREAMS).within(&repository.namespace);
        self.server.authorize(&call, api::Verb::Create)?;
        let stream = json!({
            "apiVersion": "image.openshift.io/v1", "kind": "ImageStream",
            "metadata": {"name": repository.name, "namespace": repository.namespace},
        });
        let made = self.audited(&call, repository, || self.server.create(&call, stream).map(drop));
        made.or_else(|status| if status.is_already_exists() { Ok(()) } else { Err(status) })
    }
}

fn mapping(repository: &Repository, pushed: &Pushed<'_>) -> Value {
    let digest = pushed.digest.to_string();
    let mut image = json!({
        "metadata": {
            "name": digest,
            "annotations": {
                "openshift.io/image.managed": "true",
                "image.openshift.io/manifestBlobStored": "true",
            },
        },
        "dockerImageReference": format!("{ADDRESS}/{repository}@{digest}"),
        "dockerImageManifest": pushed.manifest,
        "dockerImageManifestMediaType": pushed.media_type,
        "dockerImageConfig": pushed.config,
    });
    // Limits on the size of images are judged before the image is stored.
    images::metadata::fill(&mut image);
    json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamMapping",
        "metadata": {"name": repository.name, "namespace": repository.namespace},
        "tag": pushed.tag,
        "image": image,
    })
}

/// The tags of a stream that have an image, sorted.
pub(crate) fn tags(stream: &Value) -> Vec<String> {
    let tags = stream.list_at(&["status", "tags"]).iter();
    let mut names: Vec<String> = tags
        .filter(|tag| tag.list_at(&["items"]).first().is_some_and(|item| !image(item).is_empty()))
        .map(|tag| tag.str_at(&["tag"]).to_owned())
        .collect();
    names.sort_unstable();
    names
}

/// The image that a tag points to.
pub(crate) fn tagged(stream: &Value, tag: &str) -> Option<Digest> {
    let mut tags = stream.list_at(&["status", "tags"]).iter();
    let entry = tags.find(|entry| entry.str_at(&["tag"]) == tag)?;
    image(entry.list_at(&["items"]).first()?).parse().ok()
}

/// Every image that the tags of a stream point or pointed to.
pub(crate) fn history(stream: &Value) -> BTreeSet<Digest> {
    let tags = stream.list_at(&["status", "tags"]).iter();
    let items = tags.flat_map(|tag| tag.list_at(&["items"]));
    items.filter_map(|item| image(item).parse().ok()).collect()
}

/// A tag that has, or had, the image `digest`, and the pull spec that says where else than here it is.
pub(crate) fn origin<'a>(stream: &'a Value, digest: &str) -> Option<(&'a str, &'a str)> {
    stream.list_at(&["status", "tags"]).iter().find_map(|tag| {
        let mut items = tag.list_at(&["items"]).iter().filter(|item| image(item) == digest);
        let specs = |item: &'a Value| item.str_at(&["dockerImageReference"]);
        let elsewhere = |spec: &&str| !spec.is_empty() && !spec.starts_with(ADDRESS);
        let spec = items.find_map(|item| Some(specs(item)).filter(elsewhere))?;
        Some((tag.str_at(&["tag"]), spec))
    })
}

fn image(item: &Value) -> &str {
    item.str_at(&["image"])
}
