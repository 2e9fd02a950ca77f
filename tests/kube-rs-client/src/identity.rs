//! Who the client is by its kubeconfig: the certificate in it, or the token of a service account.

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::api::{Api, ListParams, PostParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

/// The certificate names the administrator; a token names its account, which may do nothing here.
pub(crate) async fn by_certificate_and_token(client: &Client) -> Result<()> {
    let name = whoami(client).await?;
    ensure!(name == "system:admin", "{name}");
    let accounts: Api<ServiceAccount> = Api::default_namespaced(client.clone());
    let account = serde_json::from_value(json!({"metadata": {"name": "robot"}}))?;
    accounts.create(&PostParams::default(), &account).await?;
    let asked: TokenRequest = serde_json::from_value(json!({"spec": {"audiences": []}}))?;
    let made = accounts.create_token_request("robot", &PostParams::default(), &asked).await?;
    let token = made.status.context("no token")?.token;

    let mut kubeconfig = Kubeconfig::read()?;
    for user in &mut kubeconfig.auth_infos {
        user.auth_info =
            Some(AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() });
    }
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await?;
    let robot = Client::try_from(config)?;
    let name = whoami(&robot).await?;
    ensure!(name == "system:serviceaccount:default:robot", "{name}");
    let review = json!({"spec": {"resourceAttributes": {
        "verb": "list", "resource": "configmaps", "namespace": "default"}}});
    let reviews: Api<SelfSubjectAccessReview> = Api::all(robot.clone());
    let review = reviews.create(&PostParams::default(), &serde_json::from_value(review)?).await?;
    ensure!(review.status.is_some_and(|status| !status.allowed), "the robot may list");
    let maps: Api<ConfigMap> = Api::default_namespaced(robot);
    let refused = maps.list(&ListParams::default()).await;
    let forbidden = matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403);
    ensure!(forbidden, "{refused:?}");

    for user in &mut kubeconfig.auth_infos {
        user.auth_info =
            Some(AuthInfo { token: Some("wrong".to_owned().into()), ..AuthInfo::default() });
    }
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    let unknown = whoami(&Client::try_from(config)?).await;
    ensure!(unknown.is_err(), "a wrong token is recognised");
    Ok(())
}

async fn whoami(client: &Client) -> Result<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let user = review.status.and_then(|status| status.user_info);
    user.and_then(|user| user.username).context("no name")
}
