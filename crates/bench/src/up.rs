//! `rehearse up --on sim` as a process: how soon it is ready and what it costs while idle.
//!
//! Invariant: the clock starts before the process does and stops with the answer 200 of `/readyz`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, StatusCode};
use world::{World, edge};

use crate::figure::{Figure, Target, median, milliseconds};
use crate::https::Address;
use crate::program::{Running, rehearse};

const STARTS: usize = 20;
const SETTLE: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(20);

/// Measures start, memory and idling.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) -> Result<()> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut took = Vec::new();
    for _ in 0..STARTS {
        took.push(milliseconds(start(&tokio)?.1));
    }
    report(Figure::number("up.ready", median(took), "ms").target(Target::Below(100.0)));
    let (running, _) = start(&tokio)?;
    tokio.block_on(edge::sleep(SETTLE));
    let memory = running.resident_megabytes()?;
    report(Figure::number("up.memory-idle", memory, "MB").target(Target::Below(50.0)));
    let before = running.cpu()?;
    tokio.block_on(edge::sleep(IDLE));
    let used = milliseconds(running.cpu()?.saturating_sub(before)) / IDLE.as_secs_f64();
    // A processor's load is shown in whole percents: half of one would be measurable.
    report(Figure::number("up.cpu-idle", used, "ms/s").target(Target::Below(5.0)));
    Ok(())
}

/// A cluster that is ready, and how long that took.
fn start(tokio: &tokio::runtime::Runtime) -> Result<(Running, Duration)> {
    let directory = tempfile::tempdir()?;
    let kubeconfig = directory.path().join("kubeconfig");
    let mut command = Command::new(rehearse()?);
    command.args(["up", "--on", "sim", "--listen", "127.0.0.1:0", "--kubeconfig"]);
    command.arg(&kubeconfig);
    let world = World::real();
    let start = world.now();
    let mut running = Running::start(&mut command)?;
    let output = running.0.stdout.take().context("the output is piped")?;
    let mut output = BufReader::new(output);
    let mut line = String::new();
    output.read_line(&mut line)?;
    let server = line.trim().rsplit("https://").next().unwrap_or_default();
    let server = server.parse().with_context(|| format!("no address in {line:?}"))?;
    let address = Address::new(server, &authority(&kubeconfig)?)?;
    let status = tokio.block_on(async {
        let mut connection = address.connect().await?;
        connection.send(Method::GET, "/readyz", "", Bytes::new()).await
    })?;
    let took = world.now() - start;
    ensure!(status.0 == StatusCode::OK, "/readyz was answered {}", status.0);
    // Whoever prints into a closed pipe may die of it.
    drop(std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink())));
    Ok((running, took))
}

/// The certificate of the authority in a kubeconfig.
fn authority(kubeconfig: &Path) -> Result<String> {
    let text = std::fs::read_to_string(kubeconfig)?;
    let data = text.split("certificate-authority-data:").nth(1).unwrap_or_default();
    let data = data.lines().next().unwrap_or_default().trim().trim_matches('"');
    Ok(String::from_utf8(STANDARD.decode(data)?)?)
}
