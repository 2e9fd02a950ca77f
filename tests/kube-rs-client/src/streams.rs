//! Commands in containers, logs and forwarded ports.

use anyhow::{Context as _, Result, ensure};
use futures_util::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, AttachParams, LogParams};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Commands: their output, how they end, their input.
pub(crate) async fn exec(client: &Client, pod: &str) -> Result<()> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let params = AttachParams::default().stderr(true);
    let mut said = pods.exec(pod, ["echo", "hi"], &params).await?;
    let mut output = String::new();
    said.stdout().context("no output")?.read_to_string(&mut output).await?;
    let status = said.take_status().context("no status")?.await.context("no status came")?;
    ensure!(output == "hi\n" && status.status.as_deref() == Some("Success"), "{output} {status:?}");
    said.join().await?;

    let mut failed = pods.exec(pod, ["sh", "-c", "exit 3"], &params).await?;
    let status = failed.take_status().context("no status")?.await.context("no status came")?;
    ensure!(status.reason.as_deref() == Some("NonZeroExitCode"), "{status:?}");

    let mut cat = pods.exec(pod, ["cat"], &AttachParams::default().stdin(true)).await?;
    let mut input = cat.stdin().context("no input")?;
    input.write_all(b"through\n").await?;
    input.shutdown().await?;
    drop(input);
    let mut output = [0; 8];
    cat.stdout().context("no output")?.read_exact(&mut output).await?;
    ensure!(&output == b"through\n", "{output:?}");
    drop(cat);
    Ok(())
}

/// A log at once and followed.
pub(crate) async fn logs(client: &Client, pod: &str) -> Result<()> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let log = pods.logs(pod, &LogParams::default()).await?;
    ensure!(log == "serving\n", "{log:?}");
    let follow = LogParams { follow: true, tail_lines: Some(1), ..LogParams::default() };
    let mut lines = pods.log_stream(pod, &follow).await?.lines();
    ensure!(lines.try_next().await?.as_deref() == Some("serving"), "the log is not followed");
    Ok(())
}

/// A page through a forwarded port.
pub(crate) async fn ports(client: &Client, pod: &str) -> Result<()> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let mut forward = pods.portforward(pod, &[80]).await?;
    let mut connection = forward.take_stream(80).context("no stream")?;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    ensure!(answer.ends_with(b"hello\n"), "{}", String::from_utf8_lossy(&answer));
    Ok(())
}
